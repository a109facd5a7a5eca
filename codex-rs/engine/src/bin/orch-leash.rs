//! The trampoline alone, for tests and for programs that use this crate without codex-orch's own command line.

use std::process::ExitCode;

use orch_engine::leash::{LEASH, run_leash};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_none_or(|word| word != LEASH) {
        return ExitCode::from(2);
    }
    let error = run_leash(args);
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("{error}\nhint: {}\n", error.hint()).as_bytes(),
    );
    ExitCode::FAILURE
}
