//! Pages from the disk, for whoever is writing them: in a debug build, `FALLCAST_SITE_DIR` names the project's folder, and
//! `demos/` and `client/` are read from there at each request. In a release build there is only what is embedded.

use super::file::File;

/// A file of one of the project's folders: from the disk if pages are read from there, else what is embedded.
#[cfg(debug_assertions)]
pub fn file(folder: &str, name: &str, embedded: impl FnOnce() -> Option<File>) -> Option<File> {
    match std::env::var_os("FALLCAST_SITE_DIR") {
        Some(project) => read(&std::path::Path::new(&project).join(folder), name),
        None => embedded(),
    }
}

/// A file of one of the project's folders, as it is embedded.
#[cfg(not(debug_assertions))]
pub fn file(_folder: &str, _name: &str, embedded: impl FnOnce() -> Option<File>) -> Option<File> {
    embedded()
}

/// Reads a file below `folder`; a name that leads out of it leads nowhere.
#[cfg(debug_assertions)]
fn read(folder: &std::path::Path, name: &str) -> Option<File> {
    use std::{
        borrow::Cow,
        path::{Component, Path},
    };

    let name = Path::new(name);
    let stays_below = name.components().all(|component| matches!(component, Component::Normal(_)));
    // Elsewhere nothing is even opened, for there are files without an end.
    let bytes = stays_below.then(|| std::fs::read(folder.join(name)).ok()).flatten()?;
    Some(Cow::<[u8]>::Owned(bytes).into())
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_name_that_leads_out_of_the_folder_leads_nowhere() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("client");

        assert!(read(&folder, "fallcast.js").is_some());
        for outside in ["../Cargo.toml", "/etc/hostname", "./../Cargo.toml", "nothing/../../Cargo.toml", ""] {
            assert!(read(&folder, outside).is_none(), "{outside}");
        }
    }
}
