//! Latency samples of one round: kept whole, so that quantiles are exact.

use tokio::time::Duration;

/// Latencies in nanoseconds. The number of samples is bounded by the calls of a round.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<u64>);

impl Latencies {
    pub(crate) fn with_room_for(calls: usize) -> Self {
        Self(Vec::with_capacity(calls))
    }

    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// All samples of several connections, in order of size.
    pub(crate) fn merged(parts: Vec<Self>) -> Self {
        let mut all: Vec<u64> = parts.into_iter().flat_map(|part| part.0).collect();
        all.sort_unstable();
        Self(all)
    }

    /// The nearest-rank quantile `q` (0 to 1) in microseconds, of samples that were `merged`;
    /// zero when there are none.
    pub(crate) fn quantile_us(&self, q: f64) -> f64 {
        let rank = (q * self.0.len() as f64).ceil() as usize;
        let sample = self.0.get(rank.saturating_sub(1)).copied().unwrap_or(0);
        sample as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_nearest_rank() {
        let mut odd = Latencies::default();
        let mut even = Latencies::default();
        for us in 1..=100 {
            let part = if us % 2 == 0 { &mut even } else { &mut odd };
            part.add(Duration::from_micros(us));
        }
        let all = Latencies::merged(vec![even, odd]);
        assert_eq!(all.len(), 100);
        assert_eq!(all.quantile_us(0.5), 50.0);
        assert_eq!(all.quantile_us(0.99), 99.0);
        assert_eq!(all.quantile_us(1.0), 100.0);
        assert_eq!(Latencies::default().quantile_us(0.5), 0.0);
    }
}
