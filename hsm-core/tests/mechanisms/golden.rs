//! `docs/mechanisms.md` is what the rows say.

use crate::engines;
use hsm_core::mechanisms;
use hsm_crypto::{portable, preferred};
use std::path::Path;

/// With the default engine: the document tells of that.
#[test]
fn the_golden_file_of_the_mechanism_table_is_up_to_date() {
    if preferred().name == portable().name {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/mechanisms.md");
    let table = mechanisms::document(engines::engine_of);
    let printed = format!("{table}{}", engines::maturity(&table));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &printed).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, printed, "run with UPDATE_GOLDEN=1 and look at the difference");
}
