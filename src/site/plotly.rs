//! plotly.js, which draws the charts of the demos.
//!
//! It is by far the largest file of the site, and forty phones load it over one Wi-Fi. So it is compressed when the program
//! is built, and a browser keeps it for as long as it likes under an address that names the version.

use std::{io::Read as _, sync::LazyLock};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, AcceptEncoding, Encoding, Header as _},
    web,
};
use bytes::Bytes;
use flate2::read::GzDecoder;

use crate::transport::readable;

use super::{
    file::{File, is_known},
    policy,
};

/// The library, as `build/plotly.rs` left it: compressed by gzip.
pub static COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/plotly.min.js.gz"));

/// For clients that take nothing compressed, of which there may never be one.
static PLAIN: LazyLock<Bytes> = LazyLock::new(|| {
    let mut plain = Vec::new();
    let read = GzDecoder::new(COMPRESSED).read_to_end(&mut plain);
    debug_assert!(read.is_ok(), "what the build has compressed can be read");
    plain.into()
});

// Their bytes differ, so their tags do, too (RFC 9110 §8.8.3.3).
const TAG_OF_COMPRESSED: &str = concat!("\"", env!("PLOTLY_VERSION"), "-gzip\"");
const TAG_OF_PLAIN: &str = concat!("\"", env!("PLOTLY_VERSION"), "\"");

/// What the charts of the demos import: where this server's plotly.js is.
const MODULE: &str = concat!(
    "/** Where plotly.js is, seen from here. It names the version, so that a browser may keep what it has loaded. */\n",
    "export const url = \"./plotly.min.js?v=",
    env!("PLOTLY_VERSION"),
    "\";\n"
);

/// The addresses of the library.
pub fn routes(app: &mut web::ServiceConfig) {
    app.service(readable("/demos/frame/plotly.min.js", library))
        .service(readable("/demos/frame/plotly-url.js", module));
}

async fn module(request: HttpRequest) -> HttpResponse {
    File::from(MODULE.as_bytes()).serve(&request, "plotly-url.js", &policy::of_demo(&request))
}

async fn library(request: HttpRequest) -> HttpResponse {
    let is_compressed = takes_gzip(&request);
    let tag = if is_compressed { TAG_OF_COMPRESSED } else { TAG_OF_PLAIN };
    let is_known = is_known(&request, tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header((header::CACHE_CONTROL, caching(&request)));
    if is_known {
        return response.finish();
    }
    response
        .insert_header((header::CONTENT_TYPE, "text/javascript; charset=utf-8"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if is_compressed {
        response.insert_header((header::CONTENT_ENCODING, "gzip")).body(COMPRESSED)
    } else {
        response.body(PLAIN.clone())
    }
}

/// Under the address that names this version there will never be anything else.
fn caching(request: &HttpRequest) -> &'static str {
    let is_this_version = request.query_string() == concat!("v=", env!("PLOTLY_VERSION"));
    if is_this_version { "public, max-age=31536000, immutable" } else { "no-cache" }
}

/// Whether the client takes gzip at least as gladly as plain bytes (RFC 9110 §12.5.3).
fn takes_gzip(request: &HttpRequest) -> bool {
    let accepted = AcceptEncoding::parse(request).ok();
    let chosen = accepted.and_then(|accepted| accepted.negotiate([Encoding::gzip(), Encoding::identity()].iter()));
    chosen == Some(Encoding::gzip())
}
