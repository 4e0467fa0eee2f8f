import Basics
import CKernels

#if canImport(Glibc)
  import Glibc
#endif

extension Compute {
  /// Peak rate of fused multiply-adds of all threads of the team at once, FLOP/s.
  public func measuredMultiplyAddRate(seconds: Double = 0.03) -> Double {
    let rates = Tensor(zeros: [team.count])
    // GFLOP/s, which FP32 holds well enough.
    team.run { rates.pointer[$0] = Float(Compute.measuredMultiplyAddRate(seconds: seconds) * 1e-9) }
    return rates.values.reduce(0) { $0 + Double($1) } * 1e9
  }

  /// The operation on memory that is measured.
  public enum MemoryOperation: String, Sendable, CaseIterable {
    /// y = x, as the system's library does it.
    case copy
    /// y = x + a·z (McCalpin's STREAM).
    case triad

    var arrays: Int { self == .copy ? 2 : 3 }
  }

  /// Bytes read and written per second by all threads of the team at once, each on memory of its own.
  ///
  /// - Parameters:
  ///   - workingSet: bytes of all arrays of one thread together.
  ///   - seconds: about how long to measure.
  public func measuredMemoryRate(_ operation: MemoryOperation, workingSet: Int, seconds: Double) -> Double {
    let row = 1_024
    let rows = max(1, workingSet / operation.arrays / MemoryLayout<Float>.size / row)
    let count = rows * row
    let factor = Tensor([Float](repeating: 0.5, count: row), shape: [row])
    let arrays = (0..<team.count * operation.arrays).map { _ in tensor([count]) }
    // Each thread touches its memory first, so that it lies near that thread.
    team.run { member in
      for array in arrays[member * operation.arrays..<(member + 1) * operation.arrays] { array.fill() }
    }
    let kernels = jk_current().pointee
    func pass(_ repetitions: Int) -> Double {
      let start = monotonicSeconds()
      team.run { member in
        let own = arrays[(member * operation.arrays)...].prefix(operation.arrays).map(\.pointer)
        for _ in 0..<repetitions {
          switch operation {
          case .copy: memcpy(own[0], own[1], count * MemoryLayout<Float>.size)
          case .triad: kernels.add_scaled_columns(own[1], factor.pointer, own[2], own[0], rows, row)
          }
        }
      }
      return monotonicSeconds() - start
    }
    var repetitions = 1
    var taken = pass(repetitions)
    while taken < seconds && repetitions < 1 << 30 {
      repetitions = min(1 << 30, max(2 * repetitions, Int(Double(repetitions) * seconds / max(taken, 1e-7))))
      taken = pass(repetitions)
    }
    return Double(operation.arrays * count * MemoryLayout<Float>.size * team.count) * Double(repetitions) / taken
  }
}
