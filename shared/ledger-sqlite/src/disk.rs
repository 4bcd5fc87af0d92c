//! Whether the disk under the ledger outlives the process.

use std::path::Path;

/// The kind of a file system that lives in memory, when `path` lies on one. Linux only; `None` elsewhere.
pub(crate) fn memory_file_system(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    kind_of(&mounts, &path).filter(|kind| matches!(*kind, "tmpfs" | "ramfs")).map(str::to_owned)
}

/// The type of the innermost mount that holds `path`. Source: `proc_pid_mountinfo(5)`.
fn kind_of<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    mounts
        .lines()
        .filter_map(|line| {
            let (mount, file_system) = line.split_once(" - ")?;
            let point = mount.split(' ').nth(4)?.replace("\\040", " ");
            let kind = file_system.split(' ').next()?;
            path.starts_with(&point).then_some((point.len(), kind))
        })
        // Of two mounts on one point the later covers the earlier.
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
        23 22 0:21 / /tmp rw shared:1 - tmpfs tmpfs rw\n\
        24 23 254:1 / /tmp/my\\040disk rw - ext4 /dev/vdb rw\n";

    #[test]
    fn the_innermost_mount_decides() {
        assert_eq!(kind_of(MOUNTS, Path::new("/data/x.db")), Some("ext4"));
        assert_eq!(kind_of(MOUNTS, Path::new("/tmp/x.db")), Some("tmpfs"));
        assert_eq!(kind_of(MOUNTS, Path::new("/tmp/my disk/x.db")), Some("ext4"));
        assert_eq!(kind_of(MOUNTS, Path::new("/tmpfile")), Some("ext4"));
    }
}
