//! The program: `orders serve` for operators, `orders demo` to look at.

use std::process::ExitCode;

use thalweg::cli;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments = cli::arguments();
    let code = match arguments.get(1).map(String::as_str) {
        Some("demo") => orders::demo::run(&arguments[1..]),
        _ => cli::run(orders::APP, &arguments),
    };
    ExitCode::from(code)
}
