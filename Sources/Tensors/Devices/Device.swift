/// Where memory is, and who works on it. Memory knows its device (`Buffer.device`), and so does what computes with it
/// (`Compute.device`); nobody else asks.
///
/// Every operation on tensors ends here: in `zero` and `copy`, or in `run`, which is given a description of the work beside
/// the code that does it on the host's processors. Operations of models are made of `Compute`'s methods, which alone call `run`.
public protocol Device: Sendable {
  /// Whether the processors of the host can read and write the memory at its addresses.
  var isHost: Bool { get }

  /// Memory for so many bytes, at an address that is a multiple of `Buffer.alignment`. Ends the program where there is none.
  ///
  /// - Parameter zeroed: whether its bytes are zero; else they are undefined.
  func allocate(_ byteCount: Int, zeroed: Bool) -> UnsafeMutableRawPointer

  /// Gives memory back that `allocate` gave for so many bytes.
  func release(_ address: UnsafeMutableRawPointer, _ byteCount: Int)

  /// Sets bytes of this device's memory to zero.
  func zero(_ address: UnsafeMutableRawPointer, _ byteCount: Int)

  /// Copies bytes to this device's memory from memory of the same device. Both are the same piece, or apart.
  func copy(_ address: UnsafeMutableRawPointer, from source: UnsafeMutableRawPointer, _ byteCount: Int)

  /// Copies bytes of this device's memory to the host's.
  func read(_ address: UnsafeMutableRawPointer, into host: UnsafeMutableRawBufferPointer)

  /// Copies bytes of the host's memory to this device's.
  func write(_ host: UnsafeRawBufferPointer, to address: UnsafeMutableRawPointer)

  /// Threads that share out the work of a rank on this device.
  func makeTeam(_ threads: Int) -> ThreadTeam

  /// Does work on this device's memory.
  ///
  /// - Parameter onHost: does it with the host's processors.
  func run(_ work: DeviceWork, onHost: () -> Void)
}

/// Work on tensors, by its size: a pass over memory, GEMMs, or GEMMs with a pass over their results.
public struct DeviceWork {
  /// C[m, n] = A·B with sums over k.
  public struct Product: Sendable {
    let m, n, k: Int

    public init(m: Int, n: Int, k: Int) { (self.m, self.n, self.k) = (m, n, k) }
  }

  /// Bytes read and written, and what is computed meanwhile.
  public struct Pass: Sendable {
    let bytes: Int
    let arithmetic: PassArithmetic

    public init(bytes: Int, _ arithmetic: PassArithmetic = .little) {
      (self.bytes, self.arithmetic) = (bytes, arithmetic)
    }
  }

  /// GEMMs of one size, one after the other; nil: none.
  let product: Product?
  let productCount: Int
  /// After them, or alone.
  let pass: Pass?
  /// To be called several times in the course of a GEMM, on the calling thread.
  let pause: (() -> Void)?

  public init(_ pass: Pass) { self.init(product: nil, count: 0, pass: pass, pause: nil) }

  public init(_ product: Product, count: Int = 1, then pass: Pass? = nil, pause: (() -> Void)? = nil) {
    self.init(product: product, count: count, pass: pass, pause: pause)
  }

  private init(product: Product?, count: Int, pass: Pass?, pause: (() -> Void)?) {
    self.product = product
    productCount = count
    self.pass = pass
    self.pause = pause
  }
}

/// The arithmetic of a pass, where that may take longer than its reading and writing.
public enum PassArithmetic: Sendable, Equatable {
  case little
  /// GELU or its derivative of so many numbers.
  case gelu(Int)
  /// Sums over each of so many rows, as LayerNorm and its backward need them.
  case rowSums(rows: Int, columns: Int)
}

/// The use of a piece of pooled memory.
public enum MemoryUse: Int, Sendable, CaseIterable {
  /// Values kept for backward, and those in use.
  case activations
  /// Blocks and sums on their way to and from other ranks of a model instance.
  case exchange
  /// Gradients on their way to other replicas.
  case buckets
  /// Samples.
  case frames
}
