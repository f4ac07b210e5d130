//! What the builds and the tests need of the system, as a table.
//!
//! Not in it: cmake (librdkafka is built by its own configure script, RocksDB by `cc`), python (only for a linker script
//! that static linking does not use), and curl (its feature is off).

/// What is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// Compile and run.
    Native,
    /// Also the Java services of the tests.
    NativeAndJava,
    /// Also what samples a running program.
    NativeJavaAndProfiler,
    /// Also what asks a running program over HTTP.
    NativeJavaAndLoad,
}

/// How a need is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// An executable on the path.
    Program(&'static str),
    /// A library that pkg-config knows.
    Library(&'static str),
    /// The shared library that bindgen loads.
    Libclang,
    /// A Java development kit of at least this version.
    Jdk(u32),
}

/// One thing that must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Name for people.
    pub what: &'static str,
    /// What needs it.
    pub why: &'static str,
    /// How to look for it.
    pub check: Check,
    /// Debian packages that bring it; the first one that the distribution has.
    pub packages: &'static [&'static str],
}

const fn need(what: &'static str, why: &'static str, check: Check, packages: &'static [&'static str]) -> Need {
    Need { what, why, check, packages }
}

const NATIVE: &[Need] = &[
    need("C compiler", "librdkafka", Check::Program("cc"), &["build-essential"]),
    need("C++ compiler", "RocksDB", Check::Program("c++"), &["build-essential"]),
    need("make", "librdkafka", Check::Program("make"), &["build-essential"]),
    need("clang", "RocksDB's bindings", Check::Program("clang"), &["clang"]),
    need("libclang", "RocksDB's bindings", Check::Libclang, &["libclang-dev"]),
    need("pkg-config", "finding libraries", Check::Program("pkg-config"), &["pkg-config"]),
    need("OpenSSL headers", "librdkafka", Check::Library("openssl"), &["libssl-dev"]),
    need("SASL headers", "librdkafka", Check::Library("libsasl2"), &["libsasl2-dev"]),
    need("zstd headers", "librdkafka", Check::Library("libzstd"), &["libzstd-dev"]),
    need("zlib headers", "librdkafka", Check::Library("zlib"), &["zlib1g-dev"]),
];

const JAVA: &[Need] = &[
    need(
        "JDK 17 or newer",
        "Kafka and the schema registry",
        Check::Jdk(17),
        &["openjdk-17-jdk-headless", "openjdk-21-jdk-headless", "default-jdk-headless"],
    ),
    need("Maven", "fetching Kafka and the schema registry", Check::Program("mvn"), &["maven"]),
];

const PROFILER: &[Need] = &[need("perf", "sampling a running program", Check::Program("perf"), &["linux-perf"])];

const LOAD: &[Need] = &[need("wrk", "load for `cargo xtask bench query`", Check::Program("wrk"), &["wrk"])];

/// Everything that `parts` needs.
pub fn needs(parts: Parts) -> impl Iterator<Item = &'static Need> {
    let (java, more) = match parts {
        Parts::Native => (&[][..], &[][..]),
        Parts::NativeAndJava => (JAVA, &[][..]),
        Parts::NativeJavaAndProfiler => (JAVA, PROFILER),
        Parts::NativeJavaAndLoad => (JAVA, LOAD),
    };
    NATIVE.iter().chain(java).chain(more)
}

/// Major version in what `java -version` or `javac -version` prints; 8 for the old `1.8.0_392`.
pub fn java_major(printed: &str) -> Option<u32> {
    let version = printed.split(|c: char| c == '"' || c.is_whitespace()).find(|word| {
        let mut chars = word.chars();
        chars.next().is_some_and(|c| c.is_ascii_digit())
            && chars.all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
    })?;
    let mut parts = version.split(|c: char| !c.is_ascii_digit());
    match parts.next()?.parse().ok()? {
        1 => parts.next()?.parse().ok(),
        major => Some(major),
    }
}

/// Whether a file of this name is a libclang that bindgen can load.
pub fn is_libclang(file: &str) -> bool {
    file == "libclang.so"
        || (file.starts_with("libclang-") && file.contains(".so") && !file.starts_with("libclang-cpp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_versions_are_read_in_all_their_forms() {
        let table = [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime", Some(17)),
            ("javac 21.0.2", Some(21)),
            ("java version \"1.8.0_392\"", Some(8)),
            ("openjdk version \"22-ea\" 2024-03-19", Some(22)),
            ("openjdk 11 2018-09-25", Some(11)),
            ("bash: java: command not found", None),
        ];
        for (printed, expected) in table {
            assert_eq!(java_major(printed), expected, "{printed}");
        }
    }

    #[test]
    fn libclang_is_not_mistaken_for_its_neighbours() {
        let files = ["libclang.so", "libclang-14.so.1", "libclang-14.so.14.0.6", "libclang-cpp.so.14", "libclangAST.a"];
        assert_eq!(files.map(is_libclang), [true, true, true, false, false]);
    }

    #[test]
    fn the_demo_needs_no_java() {
        assert!(needs(Parts::Native).all(|need| need.what != "Maven"));
        assert!(needs(Parts::NativeAndJava).any(|need| need.what == "Maven"));
        assert!(needs(Parts::NativeAndJava).all(|need| need.what != "perf"));
        assert!(needs(Parts::NativeJavaAndProfiler).any(|need| need.what == "perf"));
    }
}
