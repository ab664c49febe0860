//! Rules for the book as it is rendered and embedded.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::server::Server;

/// Where the build has put the book.
const BOOK: &str = concat!(env!("OUT_DIR"), "/book");

/// The pages by their names.
fn pages() -> BTreeMap<String, String> {
    let html = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "html");
    let paths = fs::read_dir(BOOK).expect("the book has been rendered").map(|entry| entry.expect("a file").path());
    paths.filter(html).map(|path| (name(&path), fs::read_to_string(&path).expect("a page is text"))).collect()
}

fn name(path: &Path) -> String {
    path.file_name().expect("a page has a name").to_string_lossy().into_owned()
}

/// The values of all attributes `name` in `html`.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// What the page points to with `href` or `src`, but for other sites.
fn own_links(html: &str) -> Vec<&str> {
    let links = [attributes(html, "href"), attributes(html, "src")].concat();
    links.into_iter().filter(|link| !link.contains("://") && !link.is_empty()).collect()
}

#[test]
fn every_link_inside_the_book_leads_somewhere() {
    let pages = pages();
    let ids: BTreeMap<&String, BTreeSet<&str>> =
        pages.iter().map(|(name, html)| (name, attributes(html, "id").into_iter().collect())).collect();
    for (page, html) in &pages {
        for link in own_links(html).into_iter().filter(|link| !link.starts_with('/')) {
            let (target, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() { page.clone() } else { target.to_owned() };
            assert!(Path::new(BOOK).join(&target).exists(), "{page}: {link} leads nowhere");
            let found = fragment.is_empty() || ids.get(&target).is_none_or(|ids| ids.contains(fragment));
            assert!(found, "{page}: there is no #{fragment} in {target}");
        }
    }
}

#[test]
fn every_link_out_of_the_book_is_served() {
    let server = Server::start(&[]);
    let pages = pages();
    let links: BTreeSet<&str> = pages.values().flat_map(|html| own_links(html)).collect();
    for link in links.into_iter().filter(|link| link.starts_with('/')) {
        // On its print page, mdBook takes the slash off the end of a link; the server puts it back.
        let is_without_slash = server.status_of(link) == 308;
        let link = if is_without_slash { format!("{link}/") } else { link.to_owned() };
        assert_eq!(server.status_of(&link), 200, "{link}");
    }
}

#[test]
fn the_server_serves_every_page_of_the_book() {
    let server = Server::start(&[]);
    assert_eq!(server.status_of("/book/"), 200);
    for page in pages().keys() {
        assert_eq!(server.status_of(&format!("/book/{page}")), 200, "{page}");
    }
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    for (page, html) in pages() {
        let tags = html
            .split('<')
            .filter(|tag| tag.starts_with("script") || tag.starts_with("link") || tag.starts_with("img"));
        for tag in tags {
            assert!(!tag.contains("://") && !tag.contains("\"//"), "{page}: <{tag}");
        }
    }
}

#[test]
fn no_directive_is_left_over() {
    for (page, html) in pages() {
        assert!(!html.contains("{{#"), "{page}");
    }
}

#[test]
fn the_book_can_be_searched() {
    let index =
        fs::read_dir(BOOK).expect("the book has been rendered").map(|entry| name(&entry.expect("a file").path()));
    let index = index.into_iter().find(|file| file.starts_with("searchindex")).expect("there is an index");
    let index = fs::read_to_string(Path::new(BOOK).join(index)).expect("the index is text");
    assert!(index.contains("long-polling"));
}
