/// All index vectors from `first` to `last`, both included, the last dimension fastest.
struct BoxIterator: Sequence, IteratorProtocol {
  private let first, last: [Int]
  private var current: [Int]?

  init(_ first: [Int], _ last: [Int]) {
    self.first = first
    self.last = last
    current = zip(first, last).allSatisfy(<=) ? first : nil
  }

  mutating func next() -> [Int]? {
    guard let result = current else { return nil }
    var index = result
    for dimension in index.indices.reversed() {
      if index[dimension] < last[dimension] {
        index[dimension] += 1
        current = index
        return result
      }
      index[dimension] = first[dimension]
    }
    current = nil
    return result
  }
}

/// Elements between neighbours along each dimension.
func strides(_ shape: [Int], isFortranOrder: Bool) -> [Int] {
  var strides = [Int](repeating: 1, count: shape.count)
  var stride = 1
  for dimension in isFortranOrder ? Array(shape.indices) : shape.indices.reversed() {
    strides[dimension] = stride
    stride *= shape[dimension]
  }
  return strides
}

/// Copies a box of elements of `width` bytes between two arrays with strides and places of the first in elements.
func copyBox(
  from source: [UInt8], _ sourceStrides: [Int], _ from: Int, to target: inout [UInt8], _ targetStrides: [Int],
  _ to: Int, extent: [Int], width: Int
) {
  if extent.contains(0) { return }
  source.withUnsafeBytes { source in
    target.withUnsafeMutableBytes { target in
      copyDimension(
        source.baseAddress!, sourceStrides[...], from, target.baseAddress!, targetStrides[...], to, extent[...], width)
    }
  }
}

private func copyDimension(
  _ source: UnsafeRawPointer, _ sourceStrides: ArraySlice<Int>, _ from: Int, _ target: UnsafeMutableRawPointer,
  _ targetStrides: ArraySlice<Int>, _ to: Int, _ extent: ArraySlice<Int>, _ width: Int
) {
  guard let count = extent.first, let sourceStride = sourceStrides.first, let targetStride = targetStrides.first else {
    return target.advanced(by: to * width).copyMemory(from: source + from * width, byteCount: width)
  }
  if extent.count == 1 && sourceStride == 1 && targetStride == 1 {
    return target.advanced(by: to * width).copyMemory(from: source + from * width, byteCount: count * width)
  }
  for i in 0..<count {
    copyDimension(
      source, sourceStrides.dropFirst(), from + i * sourceStride, target, targetStrides.dropFirst(),
      to + i * targetStride, extent.dropFirst(), width)
  }
}

/// Sets a box of an array to one element's bytes.
func fillBox(_ target: inout [UInt8], _ strides: [Int], _ start: Int, extent: [Int], with element: [UInt8]) {
  // An array that repeats one element along every dimension.
  copyBox(
    from: element, strides.map { _ in 0 }, 0, to: &target, strides, start, extent: extent, width: element.count)
}

/// Reverses the bytes of every element.
func swapBytes(_ bytes: inout [UInt8], width: Int) {
  func swap<T: FixedWidthInteger>(_ type: T.Type) {
    bytes.withUnsafeMutableBytes { raw in
      for start in stride(from: 0, to: raw.count - width + 1, by: width) {
        raw.storeBytes(
          of: raw.loadUnaligned(fromByteOffset: start, as: T.self).byteSwapped, toByteOffset: start, as: T.self)
      }
    }
  }
  switch width {
  case 2: swap(UInt16.self)
  case 4: swap(UInt32.self)
  case 8: swap(UInt64.self)
  default: break
  }
}
