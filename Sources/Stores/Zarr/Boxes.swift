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
  source.withUnsafeBytes { source in
    target.withUnsafeMutableBytes { target in
      guard let source = source.baseAddress, let target = target.baseAddress else { return }
      copyBox(
        from: source + from * width, sourceStrides, to: target + to * width, targetStrides, extent: extent, width: width
      )
    }
  }
}

/// The same from and to the first elements of the box.
func copyBox(
  from source: UnsafeRawPointer, _ sourceStrides: [Int], to target: UnsafeMutableRawPointer, _ targetStrides: [Int],
  extent: [Int], width: Int
) {
  if extent.contains(0) { return }
  // Dimensions that lie side by side in both are one.
  var joined: [(count: Int, source: Int, target: Int)] = []
  for i in extent.indices where extent[i] > 1 {
    let (count, from, to) = (extent[i], sourceStrides[i], targetStrides[i])
    if let last = joined.last, last.source == count * from, last.target == count * to {
      joined[joined.count - 1] = (last.count * count, from, to)
    } else {
      joined.append((count, from, to))
    }
  }
  copyDimensions(source, target, joined[...], width)
}

private func copyDimensions(
  _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer,
  _ dimensions: ArraySlice<(count: Int, source: Int, target: Int)>, _ width: Int
) {
  guard let first = dimensions.first else { return target.copyMemory(from: source, byteCount: width) }
  if dimensions.count == 1 && first.source == 1 && first.target == 1 {
    return target.copyMemory(from: source, byteCount: first.count * width)
  }
  if dimensions.count <= 2 {
    let outer = dimensions.count == 2 ? first : (1, 0, 0)
    let inner = dimensions[dimensions.endIndex - 1]
    if inner.source != 1 || inner.target != 1 {
      switch width {
      case 1: return copyPlane(source, target, outer, inner, UInt8.self)
      case 2: return copyPlane(source, target, outer, inner, UInt16.self)
      case 4: return copyPlane(source, target, outer, inner, UInt32.self)
      case 8: return copyPlane(source, target, outer, inner, UInt64.self)
      default: break
      }
    }
  }
  for i in 0..<first.count {
    copyDimensions(
      source + i * first.source * width, target + i * first.target * width, dimensions.dropFirst(), width)
  }
}

/// Two dimensions whose neighbours lie apart: in blocks, so that lines of memory are used while they are in the cache.
private func copyPlane<T: FixedWidthInteger>(
  _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ outer: (count: Int, source: Int, target: Int),
  _ inner: (count: Int, source: Int, target: Int), _: T.Type
) {
  let (width, block) = (MemoryLayout<T>.size, 16)
  for top in stride(from: 0, to: outer.count, by: block) {
    for left in stride(from: 0, to: inner.count, by: block) {
      for i in top..<min(top + block, outer.count) {
        for j in left..<min(left + block, inner.count) {
          target.storeBytes(
            of: source.loadUnaligned(fromByteOffset: (i * outer.source + j * inner.source) * width, as: T.self),
            toByteOffset: (i * outer.target + j * inner.target) * width, as: T.self)
        }
      }
    }
  }
}

/// Sets a box of an array to one element's bytes.
func fillBox(_ target: inout [UInt8], _ strides: [Int], _ start: Int, extent: [Int], with element: [UInt8]) {
  // An array that repeats one element along every dimension.
  copyBox(
    from: element, strides.map { _ in 0 }, 0, to: &target, strides, start, extent: extent, width: element.count)
}

/// Reverses the bytes of every element.
func swapBytes(_ bytes: UnsafeMutableRawPointer, count: Int, width: Int) {
  func swap<T: FixedWidthInteger>(_ type: T.Type) {
    for start in stride(from: 0, to: count * width, by: width) {
      bytes.storeBytes(
        of: bytes.loadUnaligned(fromByteOffset: start, as: T.self).byteSwapped, toByteOffset: start, as: T.self)
    }
  }
  switch width {
  case 2: swap(UInt16.self)
  case 4: swap(UInt32.self)
  case 8: swap(UInt64.self)
  default: break
  }
}
