//! Makes the folder of the book.
fn main() {
    let folder = std::path::Path::new(&std::env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("book");
    std::fs::create_dir_all(&folder).expect("the output folder is writable");
    std::fs::write(folder.join("index.html"), "<!doctype html><title>fallcast</title>").expect("writable");
}
