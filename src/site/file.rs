//! One file of the site, and how it is sent.

use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use actix_web::{HttpRequest, HttpResponse, http::header};
use rust_embed::EmbeddedFile;

/// A file as it is sent.
pub struct File {
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

impl From<Cow<'static, [u8]>> for File {
    fn from(bytes: Cow<'static, [u8]>) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self { bytes, number: hasher.finish() }
    }
}

impl From<&'static [u8]> for File {
    fn from(bytes: &'static [u8]) -> Self {
        Cow::Borrowed(bytes).into()
    }
}

impl File {
    /// What a browser keeps beside its copy, to ask whether that is still the file. It keeps the policy with it, so that
    /// counts, too: it changes when the server has other ports than the last time, such as a lab's.
    fn tag(&self, policy: &str) -> String {
        let mut hasher = DefaultHasher::new();
        (self.number, policy).hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }

    /// Answers a request with the file, or with "not modified".
    pub fn serve(self, request: &HttpRequest, name: &str, policy: &str) -> HttpResponse {
        let tag = self.tag(policy);
        let is_known = is_known(request, &tag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            // A new build has new pages under the same addresses, so browsers ask each time, and mostly hear "not modified".
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header((header::ETAG, tag))
            .insert_header((header::CONTENT_SECURITY_POLICY, policy));
        if is_known {
            return response.finish();
        }
        response
            .insert_header((header::CONTENT_TYPE, content_type(name)))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
        // To HEAD, actix sends the length of the body without the body.
        match self.bytes {
            Cow::Borrowed(bytes) => response.body(bytes),
            Cow::Owned(bytes) => response.body(bytes),
        }
    }
}

/// Whether the browser has the file already. A proxy that compresses makes tags weak, which does not count here (RFC 9110
/// §13.1.2).
pub fn is_known(request: &HttpRequest, tag: &str) -> bool {
    let lists = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|known| known.to_str().ok());
    let mut known = lists.flat_map(|list| list.split(',')).map(str::trim);
    known.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn content_type(name: &str) -> String {
    // To the table of types, `.ts` is a film, and `.mjs` has a type that RFC 9239 has made obsolete.
    match name.rsplit('.').next() {
        Some("ts") => return "application/typescript; charset=utf-8".to_owned(),
        Some("mjs") => return "text/javascript; charset=utf-8".to_owned(),
        _ => {}
    }
    let essence = mime_guess::from_path(name).first_or_octet_stream();
    let is_text = essence.type_() == "text" || matches!(essence.subtype().as_str(), "javascript" | "json");
    if is_text { format!("{}; charset=utf-8", essence.essence_str()) } else { essence.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_runs_or_shows_has_the_type_that_it_insists_on() {
        let types = [
            ("plot.js", "text/javascript; charset=utf-8"),
            ("plot.mjs", "text/javascript; charset=utf-8"),
            ("fallcast.d.ts", "application/typescript; charset=utf-8"),
            ("frame.css", "text/css; charset=utf-8"),
            ("index.html", "text/html; charset=utf-8"),
            ("samples.json", "application/json; charset=utf-8"),
            ("figure.svg", "image/svg+xml"),
            ("picture.png", "image/png"),
        ];
        for (name, expected) in types {
            assert_eq!(content_type(name), expected, "{name}");
        }
    }
}
