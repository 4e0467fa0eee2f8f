/// Takes note of work instead of doing it: with one, a dry run calls the code that trains, and nothing is computed and no
/// memory touched. Called from the thread of the rank whose work it is.
public protocol WorkMeter: AnyObject, Sendable {
  /// A product C[m, n] = A·B with sums over k.
  ///
  /// - Parameter pause: to be called several times in the course of it.
  func product(m: Int, n: Int, k: Int, pause: (() -> Void)?)

  /// So many bytes read and written by anything but a product, and what is computed meanwhile.
  func pass(bytes: Int, _ arithmetic: PassArithmetic)
}

extension WorkMeter {
  public func pass(bytes: Int) { pass(bytes: bytes, .little) }
}

/// What a pass computes, where that may take longer than its reading and writing.
public enum PassArithmetic: Sendable, Equatable {
  case little
  /// GELU or its derivative of so many numbers.
  case gelu(Int)
  /// Sums over each of so many rows, as LayerNorm and its backward need them.
  case rowSums(rows: Int, columns: Int)
}

/// What a piece of pooled memory is for.
public enum MemoryUse: Int, Sendable, CaseIterable {
  /// Values kept for backward, and those at hand.
  case activations
  /// Blocks and sums on their way to and from other ranks of a model instance.
  case exchange
  /// Gradients on their way to other replicas.
  case buckets
  /// Samples.
  case frames
}
