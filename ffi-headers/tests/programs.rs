//! C programs against the installed headers: they compile without a warning, and the constants are the same.

mod compiler;

use std::fmt::Write as _;
use std::path::Path;

use ffi_headers::vendor::GROUPS;

#[test]
fn the_vendor_constants_are_the_same_in_c() {
    let mut program = String::from("#include <stdio.h>\n#include \"perilune.h\"\nint main(void) {\n");
    let mut expected = String::new();
    for row in GROUPS.iter().flat_map(|group| group.rows) {
        writeln!(program, "    printf(\"{0} %lx\\n\", (unsigned long){0});", row.name).unwrap();
        writeln!(expected, "{} {:x}", row.name, row.number).unwrap();
    }
    program.push_str("    return 0;\n}\n");
    assert_eq!(compiler::output_of("vendor", &program), expected);
}

#[test]
fn the_sample_program_compiles_in_each_dialect_that_clients_use() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c/info.c"));
    for dialect in ["-std=c99", "-std=gnu17", "-xc++"] {
        assert!(compiler::compiled(source, &[dialect]).exists(), "{dialect}");
    }
}
