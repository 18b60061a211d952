//! Who has how many requests open in this process: no organization takes the room of the next one, and no endpoint
//! that of its neighbours.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use types::{EndpointId, OrgId};

/// An organization may have one slot for so many that stay free. Alone it gets a quarter of all; whoever comes while
/// others hold theirs still finds free ones, as with dynamic thresholds in a switch (Choudhury and Hahne, 1998).
const FREE_FOR_ONE: usize = 3;
/// An endpoint may have so many for one that its organization could still take: alone, more than its concurrency.
const FOR_ONE_LEFT: usize = 4;

/// The slots of a process; a clone is the same.
#[derive(Clone)]
pub(super) struct Slots {
    all: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_org: HashMap<OrgId, usize>,
    by_endpoint: HashMap<EndpointId, usize>,
}

/// One that is taken, until it is dropped.
pub(super) struct Slot {
    of: (OrgId, EndpointId),
    slots: Slots,
}

/// How many more may be taken: by each endpoint, and by its organization.
pub(super) struct Rooms {
    pub(super) of_endpoints: Vec<i32>,
    pub(super) of_orgs: Vec<i32>,
}

impl Slots {
    pub(super) fn new(all: usize) -> Self {
        Self { all, taken: Arc::default() }
    }

    pub(super) fn free(&self) -> usize {
        self.all.saturating_sub(self.taken().all)
    }

    pub(super) fn take(&self, org: OrgId, endpoint: EndpointId) -> Slot {
        let mut taken = self.taken();
        taken.all += 1;
        *taken.by_org.entry(org).or_default() += 1;
        *taken.by_endpoint.entry(endpoint).or_default() += 1;
        Slot { of: (org, endpoint), slots: self.clone() }
    }

    /// Whether an endpoint may take another one.
    pub(super) fn has_room(&self, org: OrgId, endpoint: EndpointId) -> bool {
        let taken = self.taken();
        taken.room_of_org(self.all, org, 1) > 0 && taken.room_of_endpoint(self.all, (org, endpoint), (1, 1)) > 0
    }

    /// Of endpoints that all take at once, each of them `at_most` so many.
    pub(super) fn rooms(&self, orgs: &[OrgId], endpoints: &[EndpointId], at_most: usize) -> Rooms {
        let taken = self.taken();
        let mut of_org = HashMap::<OrgId, usize>::new();
        for org in orgs {
            *of_org.entry(*org).or_default() += 1;
        }
        let together = of_org.len();
        let int = |room: usize| i32::try_from(room).unwrap_or(i32::MAX);
        let of_endpoint = |(org, endpoint): (&OrgId, &EndpointId)| {
            int(taken.room_of_endpoint(self.all, (*org, *endpoint), (together, of_org[org])).min(at_most))
        };
        Rooms {
            of_endpoints: orgs.iter().zip(endpoints).map(of_endpoint).collect(),
            of_orgs: orgs.iter().map(|org| int(taken.room_of_org(self.all, *org, together))).collect(),
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// What stays free beyond what the organization's own slots ask for.
    fn beyond(&self, all: usize, org: OrgId) -> usize {
        let own = self.by_org.get(&org).copied().unwrap_or_default();
        all.saturating_sub(self.all).saturating_sub(FREE_FOR_ONE * own)
    }

    /// As if each of so many organizations took as much; one that has none may always take one.
    fn room_of_org(&self, all: usize, org: OrgId, together: usize) -> usize {
        let beyond = self.beyond(all, org);
        let may_one = self.all < all && (beyond > 0 || !self.by_org.contains_key(&org));
        (beyond / (FREE_FOR_ONE + together)).max(usize::from(may_one))
    }

    /// The same of an endpoint, beside so many organizations and so many of its own.
    fn room_of_endpoint(&self, all: usize, (org, endpoint): (OrgId, EndpointId), together: (usize, usize)) -> usize {
        let own = self.by_endpoint.get(&endpoint).copied().unwrap_or_default();
        let beyond = (FOR_ONE_LEFT * self.beyond(all, org)).saturating_sub(FREE_FOR_ONE * own);
        let parts = (FREE_FOR_ONE + together.0) * (1 + FOR_ONE_LEFT * together.1);
        (beyond / parts).max(usize::from(beyond > 0 || own == 0))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        taken.all -= 1;
        give_back(&mut taken.by_org, &self.of.0);
        give_back(&mut taken.by_endpoint, &self.of.1);
    }
}

/// Who has none is not remembered.
fn give_back<Id: Eq + std::hash::Hash>(counts: &mut HashMap<Id, usize>, id: &Id) {
    if let Some(count) = counts.get_mut(id) {
        *count -= 1;
        if *count == 0 {
            counts.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Uuid;

    fn org(n: usize) -> OrgId {
        OrgId(Uuid::from_u128(n as u128))
    }

    /// So many organizations with so many endpoints each take as claims do, until nobody may take more; what is held,
    /// and how many the first organization has.
    fn filled(slots: &Slots, orgs: usize, endpoints: usize) -> (Vec<Slot>, usize) {
        let pairs = (0..orgs).flat_map(|o| (0..endpoints).map(move |e| (o, e)));
        let (orgs, ids): (Vec<_>, Vec<_>) =
            pairs.map(|(o, e)| (org(o), EndpointId(Uuid::from_u128((o * 1_000 + e) as u128)))).unzip();
        let mut held = vec![];
        loop {
            let (before, rooms) = (held.len(), slots.rooms(&orgs, &ids, 100));
            let mut left: HashMap<_, _> = orgs.iter().copied().zip(rooms.of_orgs).collect();
            for ((of, id), room) in orgs.iter().zip(&ids).zip(rooms.of_endpoints) {
                let takes = if slots.has_room(*of, *id) { room.min(left[of]) } else { 0 };
                *left.get_mut(of).unwrap() -= takes;
                held.extend((0..takes).take(slots.free()).map(|_| slots.take(*of, *id)).collect::<Vec<_>>());
            }
            if held.len() == before {
                let of_first = slots.taken().by_org[&org(0)];
                return (held, of_first);
            }
        }
    }

    fn late(of: usize) -> (OrgId, EndpointId) {
        (org(of), EndpointId(Uuid::from_u128(999_999)))
    }

    #[test]
    fn alone_an_organization_gets_a_quarter_and_an_endpoint_its_concurrency() {
        let slots = Slots::new(512);
        let (held, count) = filled(&slots, 1, 200);
        assert_eq!(count, 128);
        drop(held);
        let remembered = {
            let taken = slots.taken();
            taken.by_org.len() + taken.by_endpoint.len()
        };
        assert_eq!((slots.free(), remembered), (512, 0));
        let (_held, count) = filled(&slots, 1, 1);
        assert!((100..=110).contains(&count), "{count}");
    }

    #[test]
    fn whoever_comes_late_finds_room_however_many_hold_theirs() {
        for many in [4, 5, 20, 100] {
            let slots = Slots::new(512);
            let (_held, count) = filled(&slots, many, 20);
            let fair = 512 / (many + FREE_FOR_ONE);
            assert!((fair * 3 / 4..=fair + 1).contains(&count), "{many}: {count}");
            let (of, id) = late(500);
            let rooms = slots.rooms(&[of], &[id], 100);
            let room = usize::try_from(rooms.of_endpoints[0].min(rooms.of_orgs[0])).unwrap();
            assert!(room >= (fair / 2).max(1), "{many}: {room}");
        }
    }

    #[test]
    fn an_endpoint_finds_room_beside_those_of_its_organization() {
        for (orgs, endpoints) in [(1, 1), (1, 2), (1, 10), (2, 1), (5, 1), (5, 2)] {
            let slots = Slots::new(512);
            let _held = filled(&slots, orgs, endpoints);
            let (of, id) = late(0);
            let rooms = slots.rooms(&[of], &[id], 100);
            assert!(slots.has_room(of, id) && rooms.of_orgs[0] > 0 && rooms.of_endpoints[0] > 0, "{orgs}, {endpoints}");
        }
    }

    #[test]
    fn where_nothing_is_free_nobody_has_room() {
        let slots = Slots::new(2);
        let _held = filled(&slots, 2, 1);
        let (of, id) = late(3);
        assert!(!slots.has_room(of, id));
    }
}
