//! Exit codes, as `sysexits.h`.

/// Everything was done.
pub const OK: u8 = 0;
/// The command line or the configuration is wrong (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// Topics do not fit the topology, such as partition counts that differ (`EX_DATAERR`).
pub const DATA: u8 = 65;
/// Something needed cannot be reached (`EX_UNAVAILABLE`).
pub const UNAVAILABLE: u8 = 69;
/// An error of the program itself or of the application's code (`EX_SOFTWARE`).
pub const SOFTWARE: u8 = 70;
/// The state directory cannot be read or written (`EX_IOERR`).
pub const IO: u8 = 74;
/// It may work later, such as a state directory that another process holds (`EX_TEMPFAIL`).
pub const TEMPORARY: u8 = 75;
