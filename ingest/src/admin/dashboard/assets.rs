//! What the pages need besides.

use actix_web::{HttpResponse, http::header, web::Path};

/// Each file's name, type and content.
const FILES: [(&str, &str, &str); 3] = [
    ("dashboard.css", "text/css; charset=utf-8", include_str!("assets/dashboard.css")),
    ("dashboard.js", "text/javascript; charset=utf-8", include_str!("assets/dashboard.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// `GET /assets/{name}`. What a process serves is never older than itself, so browsers ask each time.
pub(super) async fn file(name: Path<String>) -> HttpResponse {
    let found = FILES.iter().find(|(known, ..)| *known == name.as_str());
    let Some((_, kind, content)) = found else { return HttpResponse::NotFound().finish() };
    HttpResponse::Ok()
        .content_type(*kind)
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(*content)
}
