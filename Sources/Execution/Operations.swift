import Tensors

/// Random zeroing in training, the same in every layout: the mask is keyed by layer, application and global index.
public struct Dropout: Sendable, Hashable {
  public let probability: Float
  /// Counts applications of the same layer within one step (latent rollout).
  public let application: Int

  public init(probability: Float, application: Int) {
    self.probability = probability
    self.application = application
  }
}

/// What random masks are keyed by besides layer and index, so that no layout of ranks changes them.
public struct RandomKey: Sendable, Hashable {
  /// Of the run.
  public var seed: UInt64 = 0
  /// The update.
  public var step: UInt64 = 0
  /// Of this batch within the samples of the update, over all micro-batches and model instances.
  public var firstSample = 0

  public init() {}

  public func stream(_ name: String, _ dropout: Dropout) -> RandomStream {
    RandomStream(seed: seed, name: name, step: step << 16 | UInt64(dropout.application))
  }
}

/// An interpreter of the operations that models are written in.
///
/// One model file runs on one process, distributed over ranks, or dry (to count), by the interpreter it is given.
/// Shapes are global: a distributed interpreter holds only its block of each value. When `tape` is set, operations
/// record their backward; when it is nil (inference) they keep nothing.
public protocol Operations: AnyObject {
  var tape: Tape? { get set }

  /// Interprets one operation: computes it, counts it, or plans it.
  ///
  /// - Throws: where communication fails, or where the operation can't be interpreted on this mesh.
  func apply(_ operation: some Operation) throws -> Value

  /// Whether of a segment only its input is kept for backward (activation checkpointing).
  var checkpointsActivations: Bool { get }

  /// A part of a model, `body`, which uses these parameters and no value but x.
  func segment(_ x: Value, _ parameters: [ParameterID], _ body: @escaping (Value) throws -> Value) throws -> Value
}

extension Operations {
  public var checkpointsActivations: Bool { false }

  /// With `checkpointsActivations`, `body` runs a second time when backward reaches it, recorded then (Chen et al. 2016,
  /// arXiv 1604.06174): one forward pass of the segment more, and the activations of one segment in memory instead of all.
  public func segment(_ x: Value, _ parameters: [ParameterID], _ body: @escaping (Value) throws -> Value) throws
    -> Value
  {
    guard checkpointsActivations, let tape else { return try body(x) }
    self.tape = nil
    defer { self.tape = tape }
    let y = try body(x)
    let output = Value(shape: y.shape, groups: y.groups, data: y.data, requiresGradient: true)
    tape.record(parameters) { [self] in
      let inner = Tape()
      self.tape = inner
      defer { self.tape = nil }
      let again = Value(shape: x.shape, groups: x.groups, data: x.data, requiresGradient: x.requiresGradient)
      let y = try body(again)
      y.gradient = output.takeGradient()
      // What has arrived from other uses of x goes on growing in place.
      again.gradient = x.gradient
      x.gradient = nil
      try inner.backward()
      x.gradient = again.gradient
    }
    return output
  }
}

/// ε of every LayerNorm.
public let layerNormEpsilon: Float = 1e-5
