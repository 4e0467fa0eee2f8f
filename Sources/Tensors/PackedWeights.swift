import CKernels

/// Weights in the order in which GEMMs in bf16 read them, packed by all threads together at their first use, or at each. For
/// as long as the weights stay as they are: whoever changes them must have let go of this.
public final class PackedWeights {
  private struct Use: Hashable {
    let address: UnsafeMutableRawPointer
    let rows, columns, stride: Int
    let isTransposed, isLeft: Bool
  }

  private let compute: Compute
  private let keeps: Bool
  private var packed: [Use: PackedOperand] = [:]

  /// - Parameter keeps: what has been packed, for the next use; it takes 2 bytes for each element and for each way to read it.
  public init(_ compute: Compute, keeps: Bool) {
    precondition(PackedWeights.isUseful(for: compute))
    self.compute = compute
    self.keeps = keeps
  }

  /// Whether GEMMs read weights in bf16.
  public static func isUseful(for compute: Compute) -> Bool { compute.activationType == .bfloat16 }

  /// The operand with its packed form beside it.
  ///
  /// - Parameter isLeft: whether it is A or B of GEMMs A·B.
  public func callAsFunction(_ operand: Operand, isLeft: Bool) -> Operand {
    let matrix = operand.matrix
    let use = Use(
      address: matrix.address, rows: matrix.rows, columns: matrix.columns, stride: matrix.stride,
      isTransposed: operand.isTransposed, isLeft: isLeft)
    let form = packed[use] ?? compute.packed(operand, isLeft: isLeft)
    if keeps { packed[use] = form }
    return Operand(matrix, transposed: operand.isTransposed, packed: form)
  }
}

extension Compute {
  /// An operand in the order in which GEMMs in bf16 read it, in pooled memory.
  func packed(_ operand: Operand, isLeft: Bool) -> PackedOperand {
    let (lines, depth) = isLeft ? (operand.rows, operand.columns) : (operand.columns, operand.rows)
    let target = tensor([jk_bf16_packed_size(lines, depth, 1)], type: .bfloat16)
    let panel = Int(JK_BF16_LINES)
    pass(lines, grain: panel, bytes: operand.matrix.byteCount + target.byteCount) { range in
      guard let unit = (backend as? BF16Products)?.unit else { preconditionFailure("products don't read bf16") }
      let part = isLeft ? operand.rows(range) : operand.columns(range)
      let start = target.bfloat16Pointer + range.lowerBound / panel * jk_bf16_panel_size(depth, 1)
      unit.pack(.stored(part), isLeft: isLeft, parts: 1, into: start)
    }
    return PackedOperand(isLeft: isLeft, lines: lines, depth: depth, parts: 1, buffer: target.buffer)
  }
}
