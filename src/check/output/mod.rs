//! The report, for people, for programs, and for systems that run tests.

pub mod json;
pub mod junit;
pub mod text;

#[cfg(test)]
mod example;
