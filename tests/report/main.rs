//! What the benchmark makes of what it has measured: reports that were made up, with a seed, so that every figure of them
//! is known.

mod compare;
mod documentation;
mod output;
mod sample;
mod summary;
mod verify;
