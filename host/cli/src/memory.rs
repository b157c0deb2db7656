//! How much memory there is: the machine's, or what a container is given of it.

use std::path::Path;

/// Bytes that this process and all the others beside it may have; none where the system does not say.
pub(crate) fn bytes() -> Option<u64> {
    least(&|path| std::fs::read_to_string(path).ok())
}

fn least(read: &dyn Fn(&Path) -> Option<String>) -> Option<u64> {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    // Inside of a container its own group is often shown as the root.
    let own = groups.lines().filter_map(|line| line.strip_prefix("0::/")).map(|path| format!("{path}/"));
    let second =
        [String::new()].into_iter().chain(own).map(|group| format!("/sys/fs/cgroup/{group}memory.max"));
    let first = ["/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned()];
    let limits = second.chain(first).filter_map(|file| read(Path::new(&file))?.trim().parse().ok());
    machine.into_iter().chain(limits).min()
}

/// `MemTotal:       24640512 kB`
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: (&str, &str) = ("/proc/meminfo", "MemTotal:       1000 kB\nMemFree: 5 kB\n");

    fn with(files: &[(&str, &str)]) -> Option<u64> {
        least(&|path| {
            files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn the_tightest_limit_counts() {
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[MACHINE]), Some(1_024_000));
        let group = ("/proc/self/cgroup", "0::/pawl.service\n");
        let own = "/sys/fs/cgroup/pawl.service/memory.max";
        assert_eq!(with(&[MACHINE, group, (own, "max\n")]), Some(1_024_000));
        assert_eq!(with(&[MACHINE, group, (own, "4096\n")]), Some(4096));
        assert_eq!(with(&[MACHINE, ("/sys/fs/cgroup/memory.max", "8192\n")]), Some(8192));
        let without = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(with(&[MACHINE, without]), Some(1_024_000));
    }

    #[test]
    fn this_machine_has_some() {
        assert!(bytes().is_some_and(|bytes| bytes > 64 * 1024 * 1024));
    }
}
