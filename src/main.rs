//! The `fallcast` program.

fn main() -> std::process::ExitCode {
    fallcast::cli::main()
}
