//! Takes plotly.js out of the crate that embeds it, and compresses it once and for all.
//!
//! A whole class loads it over one Wi-Fi, so it is served compressed, and as small as gzip can make it takes too long to be
//! done whenever the server starts.

use std::{fs, io, io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};

/// What stands before each script in what the crate returns: first the library, then `MathJax`.
const SCRIPT: &str = "<script type=\"text/javascript\">";

/// Leaves `plotly.min.js.gz` in `out`, and tells the program which version it is.
pub fn provide(out: &Path) -> io::Result<()> {
    let scripts = plotly::Plot::offline_js_sources();
    let library = first_script(&scripts).ok_or_else(|| unexpected("two scripts"))?;
    let version = version(library).ok_or_else(|| unexpected("a version in plotly.js"))?;
    println!("cargo::rustc-env=PLOTLY_VERSION={version}");

    let kept = out.join("plotly.version");
    if !fs::read_to_string(&kept).is_ok_and(|kept| kept == version) {
        fs::write(out.join("plotly.min.js.gz"), compressed(library.as_bytes())?)?;
        fs::write(kept, version)?;
    }
    Ok(())
}

fn first_script(scripts: &str) -> Option<&str> {
    let mut parts = scripts.split(SCRIPT);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(""), Some(first), Some(_), None) => first.trim_end().strip_suffix("</script>"),
        _ => None,
    }
}

/// The version, as the comment at the top of plotly.js has it.
fn version(library: &str) -> Option<&str> {
    let (_, from_version) = library.split_once("plotly.js v")?;
    let (version, _) = from_version.split_once('\n')?;
    version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.').then_some(version)
}

fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn unexpected(part: &str) -> io::Error {
    io::Error::other(format!(
        "the crate `plotly` was expected to embed {part}; build/plotly.rs has to follow its change"
    ))
}
