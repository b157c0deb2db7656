//! The process as the system sees it, under the names that every Prometheus client has for it.

use pawl_core::world::Timestamp;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

/// Asks the system. What it does not say is left out.
pub(super) fn register(registry: &mut Registry, started_at: Timestamp) {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds fit 2^53 for the next 280,000 years")]
    let started = started_at.millis() as f64 / 1e3;
    let help = "Start of the process, in seconds since 1970";
    registry.register_with_unit("process_start_time", help, Unit::Seconds, ConstGauge::new(started));
    let help = "Processor time of the process; its workers have theirs";
    registry.register_with_unit("process_cpu", help, Unit::Seconds, ConstCounter::new(processor_seconds()));
    if let Some(bytes) = resident_bytes() {
        let help = "Memory of the process that is resident";
        registry.register_with_unit("process_resident_memory", help, Unit::Bytes, ConstGauge::new(bytes));
    }
    // The listing itself takes one.
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        let open = i64::try_from(open.count()).unwrap_or(i64::MAX).saturating_sub(1);
        registry.register("process_open_fds", "Open file descriptors", ConstGauge::new(open));
    }
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    if let Some(most) = most.and_then(|most| i64::try_from(most).ok()) {
        registry.register(
            "process_max_fds",
            "The most file descriptors that may be open",
            ConstGauge::new(most),
        );
    }
}

fn processor_seconds() -> f64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    std::time::Duration::try_from(spent).unwrap_or_default().as_secs_f64()
}

fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_all_of_it() {
        let mut registry = Registry::default();
        register(&mut registry, Timestamp::from_millis(1_500));
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
        assert!(page.contains("process_start_time_seconds 1.5\n"), "{page}");
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
        ] {
            let line = page.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
            let figure: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(figure > 0.0, "{line}");
        }
    }
}
