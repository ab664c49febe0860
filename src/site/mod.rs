//! The site: pages, scripts, the book and the client, embedded in the binary. Nothing is fetched from elsewhere.

mod disk;
mod file;
mod plotly;
mod policy;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use rust_embed::RustEmbed;

use crate::transport::readable;

use file::File;

pub use plotly::COMPRESSED as PLOTLY_GZIP;

/// The pages, scripts and styles of the folder beside this file.
#[derive(RustEmbed)]
#[folder = "src/site/pages/"]
struct Pages;

/// The book as `build.rs` rendered it, or the page that says how to get it.
#[derive(RustEmbed)]
#[folder = "$OUT_DIR/book/"]
struct Book;

/// The demos: pages that each answer one question.
#[derive(RustEmbed)]
#[folder = "demos/"]
struct Demos;

/// The client. Of its folder these files alone are served, for the others are about developing and publishing it.
const CLIENT: [(&str, &[u8]); 2] = [
    ("fallcast.js", include_bytes!("../../client/fallcast.js")),
    ("fallcast.d.ts", include_bytes!("../../client/fallcast.d.ts")),
];

/// The addresses of the site.
pub fn routes(app: &mut web::ServiceConfig) {
    // It must be known before the folder whose files it joins.
    plotly::routes(app);
    app.service(readable("/", landing_page))
        .service(readable("/doctor", doctor_page))
        .service(readable("/site/{file:.*}", page_file))
        .service(readable("/client/{file:.*}", client_file))
        .service(readable("/demos", with_slash))
        .service(readable("/demos/{file:.*}", demo_file))
        .service(readable("/book", with_slash))
        .service(readable("/book/{file:.*}", book_file));
}

async fn landing_page(request: HttpRequest) -> HttpResponse {
    page(&request, "index.html")
}

async fn doctor_page(request: HttpRequest) -> HttpResponse {
    page(&request, "doctor.html")
}

/// The page that shows a channel live.
#[must_use]
pub fn channel_page(request: &HttpRequest) -> HttpResponse {
    page(request, "channel.html")
}

fn page(request: &HttpRequest, name: &str) -> HttpResponse {
    match Pages::get(name) {
        Some(file) => File::from(file).serve(request, name, &policy::of_page(request)),
        None => nothing_here(),
    }
}

async fn page_file(request: HttpRequest, file: web::Path<String>) -> HttpResponse {
    page(&request, &file)
}

/// A `SharedWorker` gets its policy from its script, so the client's is that of a page.
async fn client_file(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let embedded = CLIENT.into_iter().find(|(known, _)| *known == *name);
    let file = embedded.and_then(|(_, bytes)| disk::file("client", &name, || Some(bytes.into())));
    match file {
        Some(file) => file.serve(&request, &name, &policy::of_page(&request)),
        None => nothing_here(),
    }
}

/// A demo is a folder. Its page names what it loads relative to that folder, so the address must end with a slash.
async fn demo_file(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let name = with_index(name.into_inner());
    match demo(&name) {
        Some(file) => file.serve(&request, &name, &policy::of_demo(&request)),
        None if demo(&format!("{name}/index.html")).is_some() => with_slash(request).await,
        None => nothing_here(),
    }
}

fn demo(name: &str) -> Option<File> {
    disk::file("demos", name, || Demos::get(name).map(File::from))
}

/// In the book, mdBook's own page says when there is nothing, with a way back.
async fn book_file(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let name = with_index(name.into_inner());
    match (Book::get(&name), Book::get("404.html")) {
        (Some(file), _) => File::from(file).serve(&request, &name, policy::BOOK),
        (None, Some(page)) => HttpResponse::NotFound()
            .insert_header((header::CONTENT_SECURITY_POLICY, policy::BOOK))
            .content_type("text/html; charset=utf-8")
            .body(page.data.into_owned()),
        (None, None) => nothing_here(),
    }
}

/// The file behind an address: that of a folder stands for the folder's page.
fn with_index(name: String) -> String {
    if name.is_empty() || name.ends_with('/') { name + "index.html" } else { name }
}

/// Leads to the same address with a slash behind its path. It is told relative to that address, since behind a proxy the
/// site may stand below a folder that only the proxy knows.
async fn with_slash(request: HttpRequest) -> HttpResponse {
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    let address = format!("./{name}/{query}");
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, address)).finish()
}

fn nothing_here() -> HttpResponse {
    HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body("There is nothing here.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_demo_is_linked_from_the_list_of_demos() {
        let list = Demos::get("index.html").expect("there is a list");
        let list = std::str::from_utf8(&list.data).expect("it is text");
        let files: Vec<_> = Demos::iter().collect();
        let demos: Vec<_> = files.iter().filter_map(|name| name.strip_suffix("/index.html")).collect();

        assert!(!demos.is_empty());
        for demo in demos {
            assert!(list.contains(&format!("href=\"{demo}/")), "{demo} is missing in demos/index.html");
        }
    }
}
