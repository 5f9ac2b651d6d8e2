//! What `cargo metadata` tells about the packages, reduced to what the checks ask.
//!
//! Called from `tidy` and `dependencies`.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
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
    /// Whether it comes from a registry.
    pub foreign: bool,
    /// The names of the packages in its `[dependencies]` (not those of its tests and build script).
    pub dependencies: Vec<String>,
}

/// Reads the whole graph, as the lock file fixes it.
///
/// # Errors
/// What cargo said, or that its answer was not understood.
pub fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let graph = graph(root, &[])?;
    let list = graph["packages"].as_array().ok_or("cargo metadata: no packages")?;
    // A vendored crate comes from a path as the rooms do; only the rooms are members.
    let members = graph["workspace_members"].as_array().ok_or("cargo metadata: no members")?;
    Ok(list.iter().map(|one| package(one, members.contains(&one["id"]))).collect())
}

/// What `cargo metadata` says of everything, with all features.
fn graph(root: &Path, more: &[&str]) -> Result<Value, String> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .args(more)
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

/// A crate of others in what is delivered.
pub struct Delivered {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence, as its author says it.
    pub license: String,
    /// Where its sources are.
    pub folder: PathBuf,
    /// `module`, `command`, `build`.
    pub place: Vec<&'static str>,
    /// Rooms, else crates, that depend on it.
    pub brought_by: Vec<String>,
    /// Whether it has a build script.
    pub build_script: bool,
    /// Whether it is procedural macros.
    pub macros: bool,
}

/// The packages that are delivered and the word for each.
const ROOTS: [(&str, &str); 2] = [("pkcs11-module", "module"), ("perilune", "command")];
const SYSTEM: &str = "x86_64-unknown-linux-gnu";

/// All crates of others in the module and the command on Linux, and those that run while they are built; by name and version.
///
/// # Errors
/// What cargo said, or that its answer was not understood.
pub fn delivered(root: &Path) -> Result<Vec<Delivered>, String> {
    let graph = graph(root, &["--filter-platform", SYSTEM])?;
    let list = graph["packages"].as_array().ok_or("cargo metadata: no packages")?;
    let by_id: BTreeMap<&str, &Value> = list.iter().filter_map(|one| Some((one["id"].as_str()?, one))).collect();
    let members: BTreeSet<&str> = graph["workspace_members"]
        .as_array()
        .ok_or("cargo metadata: no members")?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let nodes = graph["resolve"]["nodes"].as_array().ok_or("cargo metadata: no graph")?;
    let name = |id: &str| by_id.get(id).map_or_else(String::new, |one| text(&one["name"]));

    let mut found: Vec<Delivered> = reached(nodes, &by_id)
        .into_iter()
        .filter(|(id, _)| !members.contains(id))
        .filter_map(|(id, reached)| {
            let one = by_id.get(id)?;
            let (rooms, crates): (Vec<&str>, Vec<&str>) = reached.from.iter().partition(|by| members.contains(*by));
            let by = if rooms.is_empty() { crates } else { rooms };
            Some(Delivered {
                name: text(&one["name"]),
                version: text(&one["version"]),
                license: text(&one["license"]),
                folder: Path::new(one["manifest_path"].as_str()?).parent()?.to_path_buf(),
                place: reached.places.into_iter().collect(),
                brought_by: by.into_iter().map(name).collect::<BTreeSet<String>>().into_iter().collect(),
                build_script: has_target(one, "custom-build"),
                macros: has_target(one, "proc-macro"),
            })
        })
        .collect();
    found.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(found)
}

/// How a package is reached from the roots.
#[derive(Default)]
struct Reached<'a> {
    places: BTreeSet<&'static str>,
    from: BTreeSet<&'a str>,
}

fn reached<'a>(nodes: &'a [Value], by_id: &BTreeMap<&'a str, &'a Value>) -> BTreeMap<&'a str, Reached<'a>> {
    let edges: BTreeMap<&str, Vec<(&str, bool)>> =
        nodes.iter().filter_map(|node| Some((node["id"].as_str()?, uses(node)))).collect();
    let mut found: BTreeMap<&str, Reached<'_>> = BTreeMap::new();
    let roots = ROOTS.iter().flat_map(|(name, word)| {
        by_id.iter().filter(|(_, one)| one["name"] == *name).map(|(&id, _)| (id, *word)).collect::<Vec<_>>()
    });
    let mut open: Vec<(&str, &'static str)> = roots.collect();
    while let Some((id, word)) = open.pop() {
        if !found.entry(id).or_default().places.insert(word) {
            continue;
        }
        for &(used, builds) in edges.get(id).into_iter().flatten() {
            found.entry(used).or_default().from.insert(id);
            let macros = by_id.get(used).is_some_and(|one| has_target(one, "proc-macro"));
            open.push((used, if builds || macros { "build" } else { word }));
        }
    }
    found
}

/// What a node of the graph uses beside its tests, and whether only to be built.
fn uses(node: &Value) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    for used in node["deps"].as_array().into_iter().flatten() {
        let Some(id) = used["pkg"].as_str() else { continue };
        let kinds: Vec<&Value> = used["dep_kinds"].as_array().into_iter().flatten().map(|kind| &kind["kind"]).collect();
        if kinds.iter().any(|kind| kind.is_null()) {
            found.push((id, false));
        }
        if kinds.iter().any(|kind| *kind == "build") {
            found.push((id, true));
        }
    }
    found
}

fn has_target(package: &Value, wanted: &str) -> bool {
    let targets = package["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    targets.iter().any(|one| one["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == wanted)))
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
        foreign: value["source"].is_string(),
        dependencies: dependencies.iter().filter(|one| one["kind"].is_null()).map(|one| text(&one["name"])).collect(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}
