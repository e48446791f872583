//! Numbers out of their range: every key takes them or refuses them in one line that names it, and none ends in a panic.

use super::default_keys;
use crate::Place;

const VALUES: [&str; 9] = [
    "0",
    "-1",
    "1.5",
    "nan",
    "inf",
    "-inf",
    "1e300",
    "18446744073709551615",
    "99999999999999999999999",
];

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    let place = Place::new();
    place.write("a.txt", "Some text.\n");
    let is_number = |value: &str| value.replace('_', "").parse::<f64>().is_ok();
    let keys = default_keys();
    let numbers: Vec<_> = keys.iter().filter(|(_, value)| is_number(value)).collect();
    assert!(numbers.len() > 50, "{numbers:?}");
    for (key, _) in numbers {
        let mut refused = 0;
        for value in VALUES {
            let set = format!("{key}={value}");
            let ended = place.run(&["data", "stats", "--data", "a.txt", "--json", "--set", &set]);
            let stderr = &ended.stderr;
            assert!(
                [0, 1, 2].contains(&ended.code),
                "{set}: {}: {stderr}",
                ended.code
            );
            assert!(!stderr.contains("panicked"), "{set}: {stderr}");
            if ended.code == 2 {
                refused += 1;
                let name = key.rsplit('.').next().unwrap();
                assert!(stderr.contains(name), "{set}: {stderr}");
                assert_eq!(stderr.lines().count(), 1, "{set}: {stderr}");
            }
        }
        // At least what is no number of any kind.
        assert!(refused >= 3, "{key} takes nearly anything");
    }
}
