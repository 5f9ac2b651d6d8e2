//! From a file to objects: `file` understands the formats, `templates` says what objects they become.

pub mod file;
pub mod templates;
