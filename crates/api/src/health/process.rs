//! What this process uses.

use cpu_time::ProcessTime;
use std::time::{Duration, Instant};

/// Bytes of a MiB.
const MIB: usize = 1 << 20;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub(super) memory_mib: usize,
    /// Of one core, since the last look.
    pub(super) cpu_percent: u64,
    cpu: Duration,
    at: Option<Instant>,
}

impl Usage {
    /// Now, with the share of one core that was used since the last look.
    pub(super) fn since(last: &Self, now: Instant) -> Self {
        let cpu = ProcessTime::try_now().map(|time| time.as_duration()).unwrap_or_default();
        let memory_mib = memory_stats::memory_stats().map_or(0, |memory| memory.physical_mem / MIB);
        Self { memory_mib, cpu_percent: last.percent(cpu, now), cpu, at: Some(now) }
    }

    fn percent(&self, cpu: Duration, now: Instant) -> u64 {
        let passed = self.at.map_or(0, |at| now.duration_since(at).as_micros());
        let percent = (cpu.saturating_sub(self.cpu).as_micros() * 100).checked_div(passed);
        percent.and_then(|percent| u64::try_from(percent).ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seconds_of_work_in_four_are_half_a_core() {
        let start = Instant::now();
        let last = Usage { cpu: Duration::from_secs(1), at: Some(start), ..Usage::default() };
        assert_eq!(last.percent(Duration::from_secs(3), start + Duration::from_secs(4)), 50);
        assert_eq!(Usage::default().percent(Duration::from_secs(3), start), 0);
    }

    #[test]
    fn a_running_process_uses_memory() {
        assert!(Usage::since(&Usage::default(), Instant::now()).memory_mib > 0);
    }
}
