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

/// The key of random masks besides layer and index, chosen so that no layout of ranks changes them.
public struct RandomKey: Sendable, Hashable {
  /// The seed of the run.
  public var seed: UInt64 = 0
  /// The update.
  public var step: UInt64 = 0
  /// The place of this batch's first sample within the samples of the update, over all micro-batches and model instances.
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

  /// Whether of a segment only its inputs are kept for backward (activation checkpointing).
  var checkpointsActivations: Bool { get }

  /// A part of a model, `body`, which uses these parameters.
  func segment(
    _ inputs: [Value], _ parameters: [ParameterID], _ body: @escaping ([Value]) throws -> [Value]
  ) throws -> [Value]

  /// The share of all rows that is local, and the number of shares: one where all rows are local. What is computed in parts takes rows of
  /// every share.
  var rowShare: (index: Int, count: Int) { get }

  /// A value whose rows are computed part after part, so that memory for intermediate results is needed for one part at a time.
  ///
  /// - Parameters:
  ///   - parts: of `rowShare.count` shares.
  ///   - form: of the whole.
  ///   - parameters: at least those that `body` uses.
  ///   - body: the rows of a part, by its number.
  func inParts(
    _ parts: RowParts, of form: OutputForm, _ parameters: [ParameterID], _ body: @escaping (Int) throws -> Value
  ) throws -> Value

  /// Memory for a value, content undefined; in dry runs a shape alone.
  func newValue(_ form: OutputForm, requiresGradient: Bool) -> Value

  /// Gives memory that is held for later use back to the system.
  func releaseIdleMemory()
}

extension Operations {
  public var checkpointsActivations: Bool { false }
  public var rowShare: (index: Int, count: Int) { (0, 1) }

  /// A segment: with `checkpointsActivations`, `body` runs a second time when backward reaches it, recorded then (Chen et al. 2016,
  /// arXiv 1604.06174): one forward pass of the segment more, and the activations of one segment in memory instead of all.
  public func segment(
    _ inputs: [Value], _ parameters: [ParameterID], _ body: @escaping ([Value]) throws -> [Value]
  ) throws -> [Value] {
    guard checkpointsActivations, let tape else { return try body(inputs) }
    self.tape = nil
    defer { self.tape = tape }
    let outputs = try body(inputs).map {
      Value(shape: $0.shape, groups: $0.groups, data: $0.data, requiresGradient: true)
    }
    let slots = outputs.map(\.slot)
    tape.record(parameters) { [self] in
      let inner = Tape()
      self.tape = inner
      defer { self.tape = nil }
      let again = inputs.map {
        Value(shape: $0.shape, groups: $0.groups, data: $0.data, requiresGradient: $0.requiresGradient)
      }
      for (result, slot) in zip(try body(again), slots) {
        result.gradient = slot.gradient
        slot.gradient = nil
      }
      // Gradients that have arrived from other uses of the inputs are added to in place.
      for (input, copy) in zip(inputs, again) {
        copy.gradient = input.gradient
        input.gradient = nil
      }
      try inner.backward()
      for (input, copy) in zip(inputs, again) { input.gradient = copy.gradient }
    }
    return outputs
  }

  /// A segment of one value.
  public func segment(_ x: Value, _ parameters: [ParameterID], _ body: @escaping (Value) throws -> Value) throws
    -> Value
  {
    try segment([x], parameters) { [try body($0[0])] }[0]
  }

  public func newValue(_ form: OutputForm, requiresGradient: Bool) -> Value {
    Value(shape: form.shape, groups: form.groups, data: nil, requiresGradient: requiresGradient)
  }

  public func releaseIdleMemory() {}

  /// A part of a model whose buffers have other sizes than those before and behind it: idle buffers are given back where it begins
  /// and ends, forward and backward.
  public func withMemoryOfItsOwn<T>(_ body: () throws -> T) rethrows -> T {
    func release() {
      releaseIdleMemory()
      tape?.record { [self] in releaseIdleMemory() }
    }
    release()
    let result = try body()
    release()
    return result
  }

  /// Nothing of a part is kept for backward, which computes it again, recorded then, and goes back through it at once. A single
  /// part is computed and recorded as if there were none.
  public func inParts(
    _ parts: RowParts, of form: OutputForm, _ parameters: [ParameterID], _ body: @escaping (Int) throws -> Value
  ) throws -> Value {
    if parts.count == 1 { return try body(0) }
    let (share, shares) = rowShare
    precondition(parts.ranges[0].count == shares, "parts of other shares")
    let rowCount = parts.local(parts.count - 1, share: share).upperBound
    let tape = self.tape
    self.tape = nil
    defer { self.tape = tape }
    let whole = newValue(form, requiresGradient: !parameters.isEmpty)
    for index in 0..<parts.count {
      let part = try body(index)
      precondition(part.shape.rows == parts.rowCount(index) && part.shape.columns == form.shape.columns)
      if let data = whole.data {
        data.rows(parts.local(index, share: share), of: rowCount).copy(from: part.tensor)
      }
    }
    tape?.record(parameters) { [self, slot = whole.slot] in
      let gradient = slot.take()
      defer { self.tape = nil }
      for index in 0..<parts.count {
        let inner = Tape()
        self.tape = inner
        let part = try body(index)
        part.gradient = gradient.rows(parts.local(index, share: share), of: rowCount).reshaped(part.tensor.shape)
        self.tape = nil
        try inner.backward()
      }
    }
    return whole
  }
}

extension Tensor {
  /// Some of the rows that a value's data have locally.
  fileprivate func rows(_ rows: Range<Int>, of rowCount: Int) -> Tensor {
    let length = rowCount == 0 ? 0 : count / rowCount
    precondition(count == rowCount * length, "rows of a value that is not whole")
    return Tensor(
      shape: [rows.count, length], type: type, buffer: buffer, offset: offset + rows.lowerBound * length)
  }
}

/// ε of every LayerNorm.
public let layerNormEpsilon: Float = 1e-5
