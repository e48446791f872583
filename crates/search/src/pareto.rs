//! Order among vectors of losses: who dominates whom, and in what rank.
//!
//! Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II".

/// Whether `a` is at least as good as `b` everywhere and better somewhere.
pub(crate) fn dominates(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| a <= b) && a.iter().zip(b).any(|(a, b)| a < b)
}

/// The rank of every vector: 0 for those that none dominates, 1 for those that only these dominate, and so on.
pub(crate) fn ranks(losses: &[&[f64]]) -> Vec<usize> {
    let mut ranks = vec![usize::MAX; losses.len()];
    let mut rest: Vec<usize> = (0..losses.len()).collect();
    for rank in 0.. {
        let (front, others): (Vec<usize>, Vec<usize>) = rest.iter().partition(|place| {
            !rest
                .iter()
                .any(|other| dominates(losses[*other], losses[**place]))
        });
        for place in &front {
            ranks[*place] = rank;
        }
        // A vector with NaN is dominated by none; each pass takes at least one.
        if others.is_empty() {
            break;
        }
        rest = others;
    }
    ranks
}

/// How alone every vector of a front stands: the half perimeter of the box that its neighbours span, the ends infinite.
pub(crate) fn crowding(front: &[&[f64]]) -> Vec<f64> {
    let mut distances = vec![0.0; front.len()];
    let Some(first) = front.first() else {
        return distances;
    };
    for objective in 0..first.len() {
        let mut order: Vec<usize> = (0..front.len()).collect();
        order.sort_by(|a, b| front[*a][objective].total_cmp(&front[*b][objective]));
        let (lowest, highest) = (order[0], order[order.len() - 1]);
        let width = front[highest][objective] - front[lowest][objective];
        distances[lowest] = f64::INFINITY;
        distances[highest] = f64::INFINITY;
        if width > 0.0 && width.is_finite() {
            for three in order.windows(3) {
                distances[three[1]] +=
                    (front[three[2]][objective] - front[three[0]][objective]) / width;
            }
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fronts_are_peeled_one_after_the_other() {
        let losses: [&[f64]; 5] = [
            &[1.0, 4.0],
            &[2.0, 2.0],
            &[4.0, 1.0],
            &[3.0, 3.0],
            &[5.0, 5.0],
        ];
        assert_eq!(ranks(&losses), [0, 0, 0, 1, 2]);
        let distances = crowding(&losses[..3]);
        assert_eq!(distances, [f64::INFINITY, 2.0, f64::INFINITY]);
    }

    proptest! {
        #[test]
        fn nobody_dominates_a_lower_rank(values in proptest::collection::vec((0u8..8, 0u8..8, 0u8..8), 1..40)) {
            let losses: Vec<[f64; 3]> = values.iter().map(|(a, b, c)| [f64::from(*a), f64::from(*b), f64::from(*c)]).collect();
            let losses: Vec<&[f64]> = losses.iter().map(|row| row.as_slice()).collect();
            let ranks = ranks(&losses);
            for (a, rank_a) in losses.iter().zip(&ranks) {
                let expected = losses.iter().zip(&ranks).filter(|(b, _)| dominates(b, a)).map(|(_, rank)| rank + 1).max();
                prop_assert_eq!(*rank_a, expected.unwrap_or(0));
            }
        }
    }
}
