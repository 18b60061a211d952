//! How many connections the services may take together: the chart's own sum, `docs/runbooks/scaling.md`.

use serde_json::Value;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// Of all services.
#[derive(Debug)]
pub(super) struct Budget {
    services: i64,
    /// The most pods of a service.
    pods: i64,
    /// Connections of a pod; it takes one more while it starts and leads.
    pool: i64,
}

impl Budget {
    /// Of an environment's values, of which later ones win, and of the chart's where those say nothing.
    pub(super) fn read(folder: &Path, values: &[PathBuf], services: usize) -> Result<Self, String> {
        let chart = PathBuf::from("helm/api-platform/values.yaml");
        let all = values.iter().rev().chain([&chart]).map(|path| yaml(&folder.join(path)));
        let all = all.collect::<Result<Vec<_>, _>>()?;
        let number = |path: &str| all.iter().find_map(|values| values.pointer(path)).and_then(Value::as_i64);
        let missing = |path: &str| format!("no values have {}", path[1..].replace('/', "."));
        let (pods, pool) = ("/autoscaling/maxReplicas", "/database/pool");
        Ok(Self {
            services: i64::try_from(services.max(1)).unwrap_or(i64::MAX),
            pods: number(pods).ok_or_else(|| missing(pods))?,
            pool: number(pool).ok_or_else(|| missing(pool))?,
        })
    }

    pub(super) fn needed(&self) -> i64 {
        self.services * self.pods * (self.pool + 1)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { services, pods, pool } = self;
        write!(f, "{} connections ({services} services × {pods} pods × {})", self.needed(), pool + 1)
    }
}

fn yaml(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projects_own_values_make_the_sum_of_the_scaling_runbook() {
        let budget = Budget::read(Path::new(".."), &["helm/values-prod.yaml".into()], 3).unwrap();
        assert_eq!(budget.to_string(), "900 connections (3 services × 50 pods × 6)");
    }
}
