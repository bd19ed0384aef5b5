//! The client of GitHub's API and a GitHub Enterprise Server whose certificate only a private authority vouches for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use devstack::harness::Certificates;
use futures_util::future::join_all;
use http::Response;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use shared::{
    github::{Github, GithubConfig, GithubError, Loss},
    settings::Environment,
};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

const JOB: &str = r#"{"id":7,"status":"queued"}"#;

fn tls(certificates: &Certificates) -> ServerConfig {
    let (certificate, key) = certificates.server();
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
        .unwrap()
}

/// Answers one call in TLS, if the client trusts it.
fn server(certificates: &Certificates) -> (String, JoinHandle<bool>) {
    let config = tls(certificates);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
        let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{JOB}", JOB.len());
        // A client that does not trust the certificate hangs up.
        stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) && stream.write_all(answer.as_bytes()).is_ok()
    });
    (url, thread)
}

fn settings(url: &str, authorities: Option<&str>) -> Result<GithubConfig, String> {
    let mut variables = vec![("AUTOSCALER_GITHUB_PAT", "ghp_hush"), ("AUTOSCALER_GITHUB_URL", url)];
    variables.extend(authorities.map(|path| ("AUTOSCALER_GITHUB_CA_FILE", path)));
    let mut environment = Environment::of(variables);
    let config = GithubConfig::load(&mut environment);
    environment.finish().map(|()| config).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_the_settings_name_it_and_not_otherwise() {
    let certificates = Certificates::make().unwrap();
    let authority = certificates.authority().display().to_string();
    let (repository, job) = ("octo/repo".parse().unwrap(), "7".parse().unwrap());

    let (url, answered) = server(&certificates);
    let github = Github::new(&settings(&url, Some(&authority)).unwrap()).unwrap();
    github.job(&repository, job).await.unwrap();
    assert!(answered.join().unwrap());

    let (url, answered) = server(&certificates);
    let strangers = Certificates::make().unwrap();
    let github = Github::new(&settings(&url, Some(strangers.authority().to_str().unwrap())).unwrap()).unwrap();
    let error = github.job(&repository, job).await.unwrap_err();
    assert!(matches!(error, GithubError::Lost { loss: Loss::NotConnected, .. }), "{error:?}");
    assert!(!answered.join().unwrap());
}

/// Answers so many calls on one connection, in HTTP/2, and none before all have come.
async fn answer_together(listener: tokio::net::TcpListener, config: ServerConfig, calls: usize) {
    let (stream, _) = listener.accept().await.unwrap();
    let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let mut under_way = Vec::new();
    while under_way.len() < calls {
        under_way.push(connection.accept().await.unwrap().unwrap().1);
    }
    for mut call in under_way {
        let mut body = call.send_response(Response::new(()), false).unwrap();
        body.send_data(JOB.into(), true).unwrap();
    }
    drop(connection.accept().await); // what is to be sent is sent meanwhile
}

#[tokio::test]
async fn calls_at_one_time_share_a_connection_where_the_server_speaks_http_2() {
    let certificates = Certificates::make().unwrap();
    let mut config = tls(&certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let authority = certificates.authority().display().to_string();
    let github = Github::new(&settings(&url, Some(&authority)).unwrap()).unwrap();
    let (repository, job) = ("octo/repo".parse().unwrap(), "7".parse().unwrap());
    let calls = join_all((0..8).map(|_| github.job(&repository, job)));
    let answers = tokio::select! {
        answers = timeout(PATIENCE, calls) => answers.unwrap(),
        () = answer_together(listener, config, 8) => panic!("the server has lost the client"),
    };
    for answer in answers {
        answer.unwrap();
    }
}

#[test]
fn a_file_that_has_no_authority_is_a_problem_by_name() {
    let certificates = Certificates::make().unwrap();
    let (_, key) = certificates.server();
    let key = key.display().to_string();
    for (url, path, problem) in [
        (
            "https://github.example.com",
            "/no/such/file",
            "AUTOSCALER_GITHUB_CA_FILE: a file of authorities is one that can",
        ),
        ("https://github.example.com", key.as_str(), "has none"),
        ("http://github.example.com", certificates.authority().to_str().unwrap(), "GitHub's API is not at https://"),
    ] {
        let said = settings(url, Some(path)).unwrap_err();
        assert!(said.contains(problem) && said.contains("AUTOSCALER_GITHUB_CA_FILE"), "{said}");
    }
}
