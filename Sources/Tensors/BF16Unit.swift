import CKernels

/// An operand of a GEMM that is computed in bf16.
public enum BF16Operand: Sendable {
  /// In bf16, or FP32 elements that are rounded (or split in two parts) while they are packed.
  case stored(Operand)
  case packed(PackedOperand)

  /// Packed if it is that already.
  public init(_ operand: Operand) { self = operand.packed.map { .packed($0) } ?? .stored(operand) }

  public var rows: Int {
    switch self {
    case .stored(let operand): operand.rows
    case .packed(let packed): packed.isLeft ? packed.lines : packed.depth
    }
  }

  public var columns: Int {
    switch self {
    case .stored(let operand): operand.columns
    case .packed(let packed): packed.isLeft ? packed.depth : packed.lines
    }
  }

  fileprivate func operand(isLeft: Bool, parts: Int) -> jk_bf16_operand {
    switch self {
    case .stored(let operand):
      let matrix = operand.matrix
      return jk_bf16_operand(
        data: matrix.start, stride: matrix.stride, transposed: operand.isTransposed,
        storage: matrix.type == .bfloat16 ? jk_stored_bfloat16 : jk_stored_float32)
    case .packed(let packed):
      precondition(packed.isLeft == isLeft && packed.parts == parts, "an operand packed for another use")
      return jk_bf16_operand(
        data: packed.buffer.pointer, stride: jk_bf16_panel_size(packed.depth, Int32(parts)), transposed: false,
        storage: jk_stored_packed)
    }
  }
}

/// An operand in the order that GEMMs read it in, the same for all units (CKernelsBF16.h): packed once, used many times.
public struct PackedOperand: Sendable {
  /// Whether it is the left one, A [lines, depth], or the right one, B [depth, lines].
  public let isLeft: Bool
  public let lines, depth: Int
  /// bf16 parts of each number.
  public let parts: Int
  let buffer: Buffer
}

/// The unit that multiplies bf16 numbers on some kind of CPU, with FP32 sums.
public struct BF16Unit: @unchecked Sendable {
  private let table: UnsafePointer<jk_bf16_unit>  // immutable
  private let scratch = BufferPool()

  /// From the fastest on: the matrix unit of some Intel CPUs, pairs in vectors, and FP32 on widened numbers.
  public static let names = ["amx", "avx512bf16", "avx512", "avx2", "baseline"]

  /// Units of this CPU, in this order; never empty.
  public static var available: [BF16Unit] { names.compactMap { BF16Unit($0) } }

  /// Nil when this CPU lacks it.
  public init?(_ name: String) {
    guard let table = jk_bf16_named(name) else { return nil }
    self.table = table
  }

  init(table: UnsafePointer<jk_bf16_unit>) { self.table = table }

  public var name: String { String(cString: table.pointee.name) }

  /// Whether the CPU multiplies bf16 numbers itself.
  public var isNative: Bool { table.pointee.native }

  /// To the nearest bf16 number, ties to even.
  public func rounded(_ x: Tensor) -> Tensor {
    let y = Tensor(shape: x.shape, type: .bfloat16, buffer: Buffer(zeroed: x.count * ElementType.bfloat16.byteCount))
    table.pointee.round(x.floats.baseAddress, y.bfloat16Pointer, x.count)
    return y
  }

  /// The same numbers in FP32.
  public func widened(_ x: Tensor) -> Tensor {
    let y = Tensor(zeros: x.shape)
    table.pointee.widen(x.bfloat16Pointer, y.pointer, x.count)
    return y
  }

  /// - Parameter parts: 1, or 2 for GEMMs that lose little.
  public func packed(_ operand: BF16Operand, isLeft: Bool, parts: Int) -> PackedOperand {
    let (lines, depth) = isLeft ? (operand.rows, operand.columns) : (operand.columns, operand.rows)
    let count = jk_bf16_packed_size(lines, depth, Int32(parts))
    let buffer = Buffer(zeroed: count * ElementType.bfloat16.byteCount)
    pack(operand, isLeft: isLeft, parts: parts, into: buffer.pointer.assumingMemoryBound(to: UInt16.self))
    return PackedOperand(isLeft: isLeft, lines: lines, depth: depth, parts: parts, buffer: buffer)
  }

  func pack(_ operand: BF16Operand, isLeft: Bool, parts: Int, into target: UnsafeMutablePointer<UInt16>) {
    let (lines, depth) = isLeft ? (operand.rows, operand.columns) : (operand.columns, operand.rows)
    var source = operand.operand(isLeft: isLeft, parts: parts)
    table.pointee.pack(&source, isLeft, lines, depth, Int32(parts), target)
  }

  /// C = A·B, or C += A·B when `accumulate`, on the calling thread alone; then `epilogue`. A C in bf16 is rounded after that, and
  /// can't be added to.
  public func multiply(
    _ a: BF16Operand, _ b: BF16Operand, parts: Int, into c: Matrix, accumulate: Bool = false, epilogue: Epilogue? = nil,
    pause: (() -> Void)? = nil
  ) {
    func run(_ epilogue: UnsafePointer<jk_epilogue>?) { multiply(a, b, parts, c, accumulate, epilogue, pause) }
    if let epilogue { epilogue.withKernel(run) } else { run(nil) }
  }

  private func multiply(
    _ a: BF16Operand, _ b: BF16Operand, _ parts: Int, _ c: Matrix, _ accumulate: Bool,
    _ epilogue: UnsafePointer<jk_epilogue>?, _ pause: (() -> Void)?
  ) {
    precondition(a.rows == c.rows && b.columns == c.columns)
    precondition(c.type == .float32 || !accumulate, "sums are in FP32")
    var task = task(a, b, parts, accumulate)
    let isRounded = c.type == .bfloat16
    let size = isRounded ? table.pointee.rounded_product_scratch(&task) : table.pointee.product_scratch(&task)
    let buffer = scratch.buffer(byteCount: size)
    withCallback(pause) { callback, context in
      if isRounded {
        table.pointee.rounded_product(
          &task, c.bfloat16Pointer, c.stride, epilogue, buffer.pointer, callback, context)
      } else {
        table.pointee.product(&task, c.pointer, c.stride, epilogue, buffer.pointer, callback, context)
      }
    }
  }

  /// The most scratch memory that one thread needs for a GEMM, bytes.
  func scratchBytes(m: Int, n: Int, k: Int, parts: Int) -> Int {
    var task = jk_bf16_task()
    (task.m, task.n, task.k, task.parts) = (m, n, k, Int32(parts))
    let size = table.pointee.product_scratch(&task)
    return parts == 1 ? max(size, table.pointee.rounded_product_scratch(&task)) : size
  }

  private func task(_ a: BF16Operand, _ b: BF16Operand, _ parts: Int, _ accumulate: Bool) -> jk_bf16_task {
    precondition(a.columns == b.rows && a.columns > 0 && (1...2).contains(parts))
    return jk_bf16_task(
      a: a.operand(isLeft: true, parts: parts), b: b.operand(isLeft: false, parts: parts), m: a.rows, n: b.columns,
      k: a.columns, parts: Int32(parts), accumulate: accumulate)
  }
}
