/// How elements are stored. Computation is in FP32 (GEMMs accumulate in FP32) whatever the storage.
public enum ElementType: String, Sendable, CaseIterable {
  case float32 = "F32"
  case bfloat16 = "BF16"

  public var byteCount: Int {
    switch self {
    case .float32: 4
    case .bfloat16: 2
    }
  }
}
