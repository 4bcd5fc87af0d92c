//! The shelf of vectors and checks beside the checkout, shared with other implementations.

use std::path::{Path, PathBuf};

/// A file or folder of `../shared` beside the checkout, or why it cannot be used.
pub fn shelf(path: &str) -> Result<PathBuf, String> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let found = checkout.parent().map(|beside| beside.join("shared").join(path));
    found.filter(|found| found.exists()).ok_or_else(|| format!("no ../shared/{path} beside the checkout"))
}
