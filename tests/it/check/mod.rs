//! `fallcast check`: it finds what is wrong, and nothing where nothing is.
//!
//! A checker that finds nothing proves nothing, unless it is known to bite. So there is a server with a switch for every
//! fault ([`reference`]): without a fault it passes everything, and so does fallcast; each fault is found by the checks
//! that it belongs to, and by no others.

mod faultless;
mod faults;
mod presets;
mod properties;
mod reference;
mod report;
mod served;
mod table;
mod violation;
