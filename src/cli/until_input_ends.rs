//! A server that belongs to another program and ends with it, however that ends: killed, too, when it can say no goodbye.

use std::{
    io::{self, Read as _},
    process, thread,
};

/// Ends this process when its standard input does. The program that has started it holds the other end, and the system
/// closes that with the program.
///
/// # Errors
/// The system has no thread for it, or does not know how to tell.
pub fn watch() -> io::Result<()> {
    end_with_parent()?;
    thread::Builder::new().name("input".to_owned()).spawn(|| {
        let mut ignored = [0; 512];
        let mut input = io::stdin().lock();
        loop {
            match input.read(&mut ignored) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        process::exit(0);
    })?;
    Ok(())
}

/// A process that is stopped reads nothing. Linux ends it all the same, with the thread that has started it.
#[cfg(target_os = "linux")]
fn end_with_parent() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail on Linux")]
const fn end_with_parent() -> io::Result<()> {
    Ok(())
}
