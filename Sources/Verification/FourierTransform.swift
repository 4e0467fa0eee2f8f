#if canImport(Glibc)
  import Glibc
#endif

/// Discrete Fourier transforms of any length, four at a time: X_k = Σ_j x_j·exp(−2πi·jk/n).
///
/// Lengths are split into prime factors (Stockham's order, so that results come in the order of k); a length with a
/// prime factor above 61 is done as a convolution of a power of two (Bluestein).
struct FourierTransform: Sendable {
  /// Four transforms side by side.
  typealias Lanes = SIMD4<Double>

  let count: Int
  private let factors: [Int]
  /// cos and sin of 2π·k/n.
  private let cosines, sines: [Double]
  /// By factor p: ω_p^rt [r, t].
  private let roots: [Int: [(re: Double, im: Double)]]
  private let convolution: Convolution?

  static let largestFactor = 61

  /// - Parameter count: elements, 1 at least.
  init(_ count: Int) {
    precondition(count >= 1)
    self.count = count
    let factors = FourierTransform.factors(count)
    let isSplit = factors.allSatisfy { $0 <= FourierTransform.largestFactor }
    self.factors = isSplit ? factors : []
    cosines = (0..<count).map { cos(2 * .pi * Double($0) / Double(count)) }
    sines = (0..<count).map { sin(2 * .pi * Double($0) / Double(count)) }
    convolution = isSplit ? nil : Convolution(count)
    let primes = Set(self.factors).subtracting([2, 4])
    roots = Dictionary(
      uniqueKeysWithValues: primes.map { p in
        (
          p,
          (0..<p * p).map { place in
            let angle = 2 * .pi * Double(place / p * (place % p) % p) / Double(p)
            return (cos(angle), -sin(angle))
          }
        )
      })
  }

  /// Fours first, then primes, ascending.
  static func factors(_ count: Int) -> [Int] {
    var (rest, factors) = (count, [Int]())
    while rest % 4 == 0 {
      factors.append(4)
      rest /= 4
    }
    var divisor = 2
    while divisor * divisor <= rest {
      while rest % divisor == 0 {
        factors.append(divisor)
        rest /= divisor
      }
      divisor += 1
    }
    return rest > 1 ? factors + [rest] : factors
  }

  /// Real and imaginary parts of values, [n] each.
  struct Values {
    var real, imaginary: UnsafeMutablePointer<Lanes>
  }

  /// Elements of `Lanes` that `transform` needs beside the values.
  var scratchCount: Int { convolution.map { $0.scratchCount } ?? 2 * count }

  /// Transforms in place.
  func transform(_ values: Values, scratch: UnsafeMutablePointer<Lanes>) {
    if let convolution { return convolution.transform(values, scratch) }
    var (from, to) = (values, Values(real: scratch, imaginary: scratch + count))
    var (rest, stride) = (count, 1)
    for factor in factors {
      rest /= factor
      switch factor {
      case 2: passOfTwo(from, to, rest, stride)
      case 4: passOfFour(from, to, rest, stride)
      default: pass(of: factor, from, to, rest, stride)
      }
      stride *= factor
      swap(&from, &to)
    }
    if from.real != values.real {
      values.real.update(from: from.real, count: count)
      values.imaginary.update(from: from.imaginary, count: count)
    }
  }

  // From x[q + s·(k + m·r)], r < p, to y[q + s·(p·k + t)], t < p, with s the product of the factors before, m that of those after:
  // y_t = (Σ_r x_r·ω_p^rt)·ω_n^(s·k·t).

  private func passOfTwo(_ x: Values, _ y: Values, _ m: Int, _ s: Int) {
    for k in 0..<m {
      let (c, d) = (cosines[s * k], -sines[s * k])
      for q in 0..<s {
        let (i, j, o) = (q + s * k, q + s * (k + m), q + s * 2 * k)
        let (re, im) = (x.real[i] - x.real[j], x.imaginary[i] - x.imaginary[j])
        y.real[o] = x.real[i] + x.real[j]
        y.imaginary[o] = x.imaginary[i] + x.imaginary[j]
        y.real[o + s] = re * c - im * d
        y.imaginary[o + s] = re * d + im * c
      }
    }
  }

  private func passOfFour(_ x: Values, _ y: Values, _ m: Int, _ s: Int) {
    for k in 0..<m {
      let (c1, d1) = (cosines[s * k], -sines[s * k])
      let (c2, d2) = (cosines[2 * s * k], -sines[2 * s * k])
      let (c3, d3) = (cosines[3 * s * k], -sines[3 * s * k])
      for q in 0..<s {
        let (i, o) = (q + s * k, q + s * 4 * k)
        let (a, b, c, d) = (i, i + s * m, i + 2 * s * m, i + 3 * s * m)
        let (sumRe, sumIm) = (x.real[a] + x.real[c], x.imaginary[a] + x.imaginary[c])
        let (difRe, difIm) = (x.real[a] - x.real[c], x.imaginary[a] - x.imaginary[c])
        let (oddRe, oddIm) = (x.real[b] + x.real[d], x.imaginary[b] + x.imaginary[d])
        // −i·(x_b − x_d)
        let (turnRe, turnIm) = (x.imaginary[b] - x.imaginary[d], x.real[d] - x.real[b])
        y.real[o] = sumRe + oddRe
        y.imaginary[o] = sumIm + oddIm
        let (re1, im1) = (difRe + turnRe, difIm + turnIm)
        y.real[o + s] = re1 * c1 - im1 * d1
        y.imaginary[o + s] = re1 * d1 + im1 * c1
        let (re2, im2) = (sumRe - oddRe, sumIm - oddIm)
        y.real[o + 2 * s] = re2 * c2 - im2 * d2
        y.imaginary[o + 2 * s] = re2 * d2 + im2 * c2
        let (re3, im3) = (difRe - turnRe, difIm - turnIm)
        y.real[o + 3 * s] = re3 * c3 - im3 * d3
        y.imaginary[o + 3 * s] = re3 * d3 + im3 * c3
      }
    }
  }

  /// Any factor p, by p² multiplications.
  private func pass(of p: Int, _ x: Values, _ y: Values, _ m: Int, _ s: Int) {
    guard let roots = roots[p] else { preconditionFailure("no roots of the factor \(p)") }
    for k in 0..<m {
      for t in 0..<p {
        let (c, d) = (cosines[s * k * t], -sines[s * k * t])
        for q in 0..<s {
          let (i, o) = (q + s * k, q + s * p * k)
          var (re, im) = (x.real[i], x.imaginary[i])
          for r in 1..<p {
            let w = roots[r * p + t]
            let (a, b) = (x.real[i + s * m * r], x.imaginary[i + s * m * r])
            re += a * w.re - b * w.im
            im += a * w.im + b * w.re
          }
          y.real[o + s * t] = re * c - im * d
          y.imaginary[o + s * t] = re * d + im * c
        }
      }
    }
  }

  /// Bluestein's convolution: jk = (j² + k² − (k − j)²)/2, so that X_k = w_k·Σ_j (x_j·w_j)·conj(w_(k−j)) with
  /// w_k = exp(−πi·k²/n).
  private final class Convolution: Sendable {
    private let count: Int
    private let inner: FourierTransform
    /// w_k, and the transform of conj(w), divided by the inner length.
    private let chirp, kernel: [(re: Double, im: Double)]

    init(_ count: Int) {
      self.count = count
      var length = 1
      while length < 2 * count - 1 { length *= 2 }
      let inner = FourierTransform(length)
      self.inner = inner
      // k² mod 2n keeps the angle exact.
      let chirp = (0..<count).map { k -> (re: Double, im: Double) in
        let angle = Double.pi * Double(k * k % (2 * count)) / Double(count)
        return (cos(angle), -sin(angle))
      }
      self.chirp = chirp
      var values = [Lanes](repeating: .zero, count: 2 * length)
      for k in 0..<count {
        for place in [k, (length - k) % length] {
          values[place] = Lanes(repeating: chirp[k].re)
          values[length + place] = Lanes(repeating: -chirp[k].im)
        }
      }
      var scratch = [Lanes](repeating: .zero, count: inner.scratchCount)
      values.withUnsafeMutableBufferPointer { values in
        scratch.withUnsafeMutableBufferPointer { scratch in
          guard let start = values.baseAddress, let scratch = scratch.baseAddress else { return }
          inner.transform(Values(real: start, imaginary: start + length), scratch: scratch)
        }
      }
      kernel = (0..<length).map { (values[$0][0] / Double(length), values[length + $0][0] / Double(length)) }
    }

    var scratchCount: Int { 2 * inner.count + inner.scratchCount }

    func transform(_ values: Values, _ scratch: UnsafeMutablePointer<Lanes>) {
      let length = inner.count
      let long = Values(real: scratch, imaginary: scratch + length)
      for k in 0..<length {
        let (re, im) = k < count ? (values.real[k], values.imaginary[k]) : (.zero, .zero)
        let w = k < count ? chirp[k] : (re: 0, im: 0)
        long.real[k] = re * w.re - im * w.im
        long.imaginary[k] = re * w.im + im * w.re
      }
      inner.transform(long, scratch: scratch + 2 * length)
      // The inverse transform is that of the conjugate, conjugated.
      for k in 0..<length {
        let (re, im, f) = (long.real[k], long.imaginary[k], kernel[k])
        long.real[k] = re * f.re - im * f.im
        long.imaginary[k] = -(re * f.im + im * f.re)
      }
      inner.transform(long, scratch: scratch + 2 * length)
      for k in 0..<count {
        let (re, im, w) = (long.real[k], -long.imaginary[k], chirp[k])
        values.real[k] = re * w.re - im * w.im
        values.imaginary[k] = re * w.im + im * w.re
      }
    }
  }
}
