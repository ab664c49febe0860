//! What is measured: the own server, or one that runs already.

use std::{fs, io, path::Path};

use thiserror::Error;

use super::template::{Template, TemplateError};
use crate::origin::{BadOrigin, Origin};

/// What is measured.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name in the report.
    pub name: String,
    /// How it is asked.
    pub template: Template,
    /// Where it runs.
    pub place: Place,
}

/// Where a target runs.
#[derive(Clone, Debug)]
pub enum Place {
    /// The benchmark starts it anew for every measurement, with these options.
    Own {
        /// Options of `fallcast serve`.
        args: Vec<String>,
    },
    /// It runs already.
    Elsewhere {
        /// Where.
        origin: Origin,
        /// Its process, if it runs here and its cost is wanted.
        pid: Option<u32>,
    },
}

/// Why there is no such target.
#[derive(Debug, Error)]
pub enum TargetError {
    /// It is not written as a target.
    #[error(
        "{0:?} is no target; write NAME=URL, where NAME is fallcast, fallcast-json or nchan; NAME=PROFILE@URL; or \
         NAME=FILE.toml"
    )]
    Syntax(String),
    /// Its address cannot be used.
    #[error(transparent)]
    Url(#[from] BadOrigin),
    /// Its file cannot be read.
    #[error("cannot read the template {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// Its file does not say where it is.
    #[error("{0}: there is no url = \"http://HOST:PORT\" at the top")]
    NoUrl(String),
    /// Its template is at fault.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl Target {
    /// The own server, with a profile.
    ///
    /// # Errors
    /// There is no such profile.
    pub fn own(profile: &str, args: Vec<String>) -> Result<Self, TargetError> {
        let template = Template::profile(profile)?;
        Ok(Self { name: profile.to_owned(), template, place: Place::Own { args } })
    }

    /// A target as it is written on the command line: `nchan=http://localhost:8082`, `mine=nchan@http://localhost:8082`,
    /// or `mine=mine.toml`.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str, pid: Option<u32>) -> Result<Self, TargetError> {
        let syntax = || TargetError::Syntax(text.to_owned());
        let (name, rest) = text.split_once('=').ok_or_else(syntax)?;
        let is_good = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        if name.is_empty() || !name.chars().all(is_good) {
            return Err(syntax());
        }
        let (template, url) = if Path::new(rest).extension().is_some_and(|extension| extension == "toml") {
            let template = read(rest)?;
            let url = template.url.clone().ok_or_else(|| TargetError::NoUrl(rest.to_owned()))?;
            (template, url)
        } else {
            let (profile, url) = rest.split_once('@').unwrap_or((name, rest));
            if !url.contains("://") || !Template::is_profile(profile) {
                return Err(syntax());
            }
            (Template::profile(profile)?, url.to_owned())
        };
        let origin = Origin::of(&url)?;
        Ok(Self { name: name.to_owned(), template, place: Place::Elsewhere { origin, pid } })
    }
}

fn read(path: &str) -> Result<Template, TargetError> {
    let text = fs::read_to_string(path).map_err(|source| TargetError::File { path: path.to_owned(), source })?;
    Ok(Template::parse(path, &text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        Target::parse(text, None).expect_err("a fault").to_string()
    }

    #[test]
    fn a_target_names_itself_its_profile_and_its_address() {
        for (text, name) in [("nchan=http://127.0.0.1:8082", "nchan"), ("old=fallcast@http://127.0.0.1:8082/", "old")] {
            let target = Target::parse(text, Some(7)).expect("a target");
            assert_eq!(target.name, name);
            let Place::Elsewhere { origin, pid } = target.place else { panic!("it runs elsewhere") };
            assert_eq!((origin.address.port(), origin.host.as_str(), pid), (8082, "127.0.0.1:8082", Some(7)));
        }
    }

    #[test]
    fn what_is_wrong_with_a_target_is_said_with_the_remedy() {
        assert!(fault("http://localhost").contains("NAME=URL"));
        assert!(fault("mine=http://localhost").contains("NAME=PROFILE@URL"));
        assert!(fault("nchan=https://localhost").contains("without TLS"));
        assert!(fault("nchan=http://localhost/sub").contains("template"));
        assert!(fault("nchan=http://no-such-host.invalid").contains("no-such-host.invalid"));
        assert!(fault("mine=there-is-no-such-file.toml").contains("cannot read the template"));
    }
}
