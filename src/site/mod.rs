//! The site: pages, scripts, the book and the client, embedded in the binary. Nothing is fetched from elsewhere.

use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource,
    http::{Method, StatusCode, header},
    web,
};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::transport::{Problem, State};

/// The pages, scripts and styles of the folder beside this file.
#[derive(RustEmbed)]
#[folder = "src/site/pages/"]
struct Pages;

/// The book as `build.rs` rendered it, or the page that says how to get it.
#[derive(RustEmbed)]
#[folder = "$OUT_DIR/book/"]
struct Book;

/// The client. Of its folder these files alone are served, for the others are about developing and publishing it.
const CLIENT: [(&str, &[u8]); 2] = [
    ("fallcast.js", include_bytes!("../../client/fallcast.js")),
    ("fallcast.d.ts", include_bytes!("../../client/fallcast.d.ts")),
];

/// mdBook's pages carry scripts and styles within; they still load nothing from elsewhere.
const BOOK_POLICY: &str = "default-src 'self' 'unsafe-inline' data:; connect-src 'self'; base-uri 'none'";

/// What the site's own pages may load: nothing from elsewhere, and no script within the page. They may speak to the other
/// ports of this server, since the lab has one of its own.
fn page_policy(request: &HttpRequest) -> String {
    let siblings = request.app_data::<web::Data<State>>().map(|state| state.siblings(request)).unwrap_or_default();
    let sources = [vec!["'self'".to_owned()], siblings].concat().join(" ");
    format!("default-src 'self'; connect-src {sources} ws: wss:; img-src 'self' data:; base-uri 'none'")
}

/// The addresses of the site.
pub fn routes(app: &mut web::ServiceConfig) {
    app.service(readable("/", landing_page))
        .service(readable("/site/{file:.*}", page_file))
        .service(readable("/client/{file:.*}", client_file))
        .service(readable("/book", book_index))
        .service(readable("/book/{file:.*}", book_file));
}

/// What is read with GET and HEAD, and takes no other method.
fn readable<F, Args>(address: &str, handler: F) -> Resource
where
    F: Handler<Args, Output = HttpResponse>,
    Args: FromRequest + 'static,
{
    web::resource(address)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .route(web::method(Method::OPTIONS).to(methods))
        .default_service(web::to(method_not_allowed))
}

const METHODS: (header::HeaderName, &str) = (header::ALLOW, "GET, HEAD, OPTIONS");

async fn methods() -> HttpResponse {
    HttpResponse::NoContent().insert_header(METHODS).finish()
}

async fn method_not_allowed() -> Result<HttpResponse, Problem> {
    let (title, detail) = ("This method is not taken", "a page can only be read");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", title, detail);
    Err(problem.with_header(METHODS.0, METHODS.1))
}

async fn landing_page(request: HttpRequest) -> HttpResponse {
    page(&request, "index.html")
}

/// The page that shows a channel live.
#[must_use]
pub fn channel_page(request: &HttpRequest) -> HttpResponse {
    page(request, "channel.html")
}

fn page(request: &HttpRequest, name: &str) -> HttpResponse {
    serve(request, name, Pages::get(name).map(File::from), &page_policy(request))
}

async fn page_file(request: HttpRequest, file: web::Path<String>) -> HttpResponse {
    page(&request, &file)
}

/// A `SharedWorker` gets its policy from its script, so the client's is that of a page.
async fn client_file(request: HttpRequest, file: web::Path<String>) -> HttpResponse {
    let found = CLIENT.into_iter().find(|(name, _)| *name == *file);
    serve(&request, &file, found.map(|(_, bytes)| File::from(bytes)), &page_policy(&request))
}

async fn book_index() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/book/")).finish()
}

async fn book_file(request: HttpRequest, file: web::Path<String>) -> HttpResponse {
    let name = if file.is_empty() || file.ends_with('/') { format!("{file}index.html") } else { file.into_inner() };
    serve(&request, &name, Book::get(&name).map(File::from), BOOK_POLICY)
}

/// A file as it is sent.
struct File {
    bytes: Cow<'static, [u8]>,
    /// Differs when the bytes differ.
    number: u64,
}

impl From<EmbeddedFile> for File {
    fn from(file: EmbeddedFile) -> Self {
        let hash = file.metadata.sha256_hash();
        Self { number: hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first)), bytes: file.data }
    }
}

impl From<&'static [u8]> for File {
    fn from(bytes: &'static [u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self { bytes: bytes.into(), number: hasher.finish() }
    }
}

fn serve(request: &HttpRequest, name: &str, file: Option<File>, policy: &str) -> HttpResponse {
    let Some(file) = file else { return nothing_here(request) };
    let tag = format!("\"{:016x}\"", file.number);
    if request.headers().get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish();
    }
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, content_type(name)))
        // A new build has new pages under the same addresses, so browsers ask each time, and mostly hear "not modified".
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::ETAG, tag))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    // To HEAD, actix sends the length of the body without the body.
    match file.bytes {
        Cow::Borrowed(bytes) => response.body(bytes),
        Cow::Owned(bytes) => response.body(bytes),
    }
}

/// In the book, mdBook's own page says so, with a way back.
fn nothing_here(request: &HttpRequest) -> HttpResponse {
    let page = Book::get("404.html").filter(|_| request.path().starts_with("/book/"));
    let mut response = HttpResponse::NotFound();
    match page {
        Some(page) => response
            .insert_header((header::CONTENT_SECURITY_POLICY, BOOK_POLICY))
            .content_type("text/html; charset=utf-8")
            .body(page.data.into_owned()),
        None => response.content_type("text/plain; charset=utf-8").body("There is nothing here.\n"),
    }
}

fn content_type(name: &str) -> String {
    // To the table of types, `.ts` is a film.
    if name.rsplit('.').next() == Some("ts") {
        return "application/typescript; charset=utf-8".to_owned();
    }
    let essence = mime_guess::from_path(name).first_or_octet_stream();
    let is_text = essence.type_() == "text" || matches!(essence.subtype().as_str(), "javascript" | "json");
    if is_text { format!("{}; charset=utf-8", essence.essence_str()) } else { essence.to_string() }
}
