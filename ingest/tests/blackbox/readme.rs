//! The README's tables of requests and of metrics say what the listeners do.

use devstack::readme;

use super::{app::App, client};

#[tokio::test]
async fn every_request_of_the_readme_is_answered() {
    let app = App::start().await;
    let rows = readme::rows("request").unwrap();
    let said: Vec<(&str, &str)> =
        rows.iter().map(|row| readme::code(&row[0]).and_then(|request| request.split_once(' ')).unwrap()).collect();
    for (method, path) in &said {
        let private = ["/livez", "/readyz", "/metrics"].contains(path);
        let answer = client::request(if private { app.admin_port } else { app.port }, method, path).await;
        // What is not signed is refused, and so it is there.
        let expected = if *method == "POST" { 401 } else { 200 };
        assert_eq!(answer.code, expected, "{method} {path}");
    }
    assert_eq!(said.len(), 7, "{said:?}");
    app.stop().await;
}

#[tokio::test]
async fn the_table_of_metrics_has_those_of_ingest() {
    let app = App::start().await;
    let answer = client::request(app.admin_port, "GET", "/metrics").await.body;
    assert_eq!(readme::metric_names(&answer), readme::metrics_of("ingest").unwrap(), "{answer}");
    app.stop().await;
}
