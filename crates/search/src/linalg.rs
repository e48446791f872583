//! The little linear algebra of samplers: symmetric matrices of some dozen rows, as rows of rows.

/// Eigenvalues and eigenvectors (columns) of a symmetric matrix, by Jacobi's rotations.
pub(crate) fn eigen(matrix: &[Vec<f64>]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = matrix.len();
    let mut a = matrix.to_vec();
    let mut vectors = vec![vec![0.0; n]; n];
    for (place, row) in vectors.iter_mut().enumerate() {
        row[place] = 1.0;
    }
    let scale: f64 = a.iter().flatten().map(|x| x * x).sum();
    for _ in 0..64 {
        let off: f64 = (0..n)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| a[i][j] * a[i][j])
            .sum();
        if off <= 1e-24 * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q] == 0.0 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let t = if theta == 0.0 { 1.0 } else { t };
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for row in a.iter_mut().chain(vectors.iter_mut()) {
                    let (x, y) = (row[p], row[q]);
                    row[p] = c * x - s * y;
                    row[q] = s * x + c * y;
                }
                let (above, below) = a.split_at_mut(q);
                for (x, y) in above[p].iter_mut().zip(below[0].iter_mut()) {
                    (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                }
            }
        }
    }
    ((0..n).map(|i| a[i][i]).collect(), vectors)
}

/// The lower triangle whose product with its transpose is `matrix`; nothing if that is not positive definite.
pub(crate) fn cholesky(matrix: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let mut lower: Vec<Vec<f64>> = Vec::with_capacity(matrix.len());
    for (i, source) in matrix.iter().enumerate() {
        let mut row = vec![0.0; matrix.len()];
        for j in 0..=i {
            let before = if j == i {
                dot(&row[..j], &row[..j])
            } else {
                dot(&row[..j], &lower[j][..j])
            };
            let rest = source[j] - before;
            if j < i {
                row[j] = rest / lower[j][j];
            } else if rest > 0.0 {
                row[i] = rest.sqrt();
            } else {
                return None;
            }
        }
        lower.push(row);
    }
    Some(lower)
}

/// Solves `lower x = b`.
pub(crate) fn forward(lower: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let mut x = Vec::with_capacity(b.len());
    for (row, b) in lower.iter().zip(b) {
        let place = x.len();
        x.push((b - dot(&row[..place], &x)) / row[place]);
    }
    x
}

/// Solves `transposed(lower) x = b`.
pub(crate) fn backward(lower: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let mut x = b.to_vec();
    for i in (0..b.len()).rev() {
        x[i] /= lower[i][i];
        let solved = x[i];
        for (rest, factor) in x[..i].iter_mut().zip(&lower[i]) {
            *rest -= factor * solved;
        }
    }
    x
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    #[test]
    fn decompositions_give_the_matrix_back() {
        let n = 7;
        let mut stream = Stream::new(3, &[]);
        let root: Vec<Vec<f64>> = (0..n)
            .map(|_| (0..n).map(|_| stream.normal()).collect())
            .collect();
        let matrix: Vec<Vec<f64>> = root
            .iter()
            .enumerate()
            .map(|(i, a)| {
                root.iter()
                    .enumerate()
                    .map(|(j, b)| dot(a, b) + f64::from(u8::from(i == j)))
                    .collect()
            })
            .collect();
        let (values, vectors) = eigen(&matrix);
        let lower = cholesky(&matrix).unwrap();
        for i in 0..n {
            for j in 0..n {
                let again: f64 = (0..n)
                    .map(|k| vectors[i][k] * values[k] * vectors[j][k])
                    .sum();
                assert!((again - matrix[i][j]).abs() < 1e-9);
                assert!((dot(&lower[i], &lower[j]) - matrix[i][j]).abs() < 1e-9);
            }
        }
        let b: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let x = backward(&lower, &forward(&lower, &b));
        for (row, b) in matrix.iter().zip(&b) {
            assert!((dot(row, &x) - b).abs() < 1e-9);
        }
        assert!(cholesky(&[vec![1.0, 2.0], vec![2.0, 1.0]]).is_none());
    }
}
