//! What `cargo metadata` tells about the packages, reduced to what the checks ask.
//!
//! Called from `tidy`.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// One package of the dependency graph.
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The oldest toolchain it asks for, where it says one.
    pub rust_version: Option<String>,
    /// Whether it is a room of this workspace.
    pub local: bool,
    /// The names of the packages in its `[dependencies]` (not those of its tests and build script).
    pub dependencies: Vec<String>,
}

/// Reads the whole graph, as the lock file fixes it.
///
/// # Errors
/// What cargo said, or that its answer was not understood.
pub fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let all: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let list = all["packages"].as_array().ok_or("cargo metadata: no packages")?;
    // A vendored crate comes from a path as the rooms do; only the rooms are members.
    let members = all["workspace_members"].as_array().ok_or("cargo metadata: no members")?;
    Ok(list.iter().map(|one| package(one, members.contains(&one["id"]))).collect())
}

/// The cargo that runs us, else the one on the path.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_absent| "cargo".into())
}

fn package(value: &Value, local: bool) -> Package {
    let dependencies = value["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    Package {
        name: text(&value["name"]),
        version: text(&value["version"]),
        rust_version: value["rust_version"].as_str().map(String::from),
        local,
        dependencies: dependencies.iter().filter(|one| one["kind"].is_null()).map(|one| text(&one["name"])).collect(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}
