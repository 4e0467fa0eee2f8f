import Basics

/// GEMMs of linear layers: C [m, n] = A·B with sums over k.
struct ProductSize {
  let m, n, k: Int
  /// The operands' order, as in `MachineRates.Product`.
  let operands: String

  /// Forward, gradient of the input, gradient of the weight, of layers along rows (W·X) and along columns (X·Wᵀ), at the sizes
  /// of docs/benchmarks.md; and square ones.
  static func all(isQuick: Bool) -> [ProductSize] {
    let (tokens, channels, tokenWidth, channelWidth) = isQuick ? (256, 256, 128, 512) : (2_048, 1_024, 512, 1_024)
    let layers = [
      ProductSize(m: tokenWidth, n: channels, k: tokens, operands: "nn"),
      ProductSize(m: tokens, n: channels, k: tokenWidth, operands: "tn"),
      ProductSize(m: tokenWidth, n: tokens, k: channels, operands: "nt"),
      ProductSize(m: tokens, n: channelWidth, k: channels, operands: "nt"),
      ProductSize(m: tokens, n: channels, k: channelWidth, operands: "nn"),
      ProductSize(m: channelWidth, n: channels, k: tokens, operands: "tn"),
    ]
    return layers
      + (isQuick ? [256] : [256, 512, 1_024, 2_048]).map { ProductSize(m: $0, n: $0, k: $0, operands: "nn") }
  }

  private static let sides = [64, 256, 1_024]

  /// Sizes between which those of any model lie, for 'jigsaw plan'.
  static func grid(isQuick: Bool) -> [ProductSize] {
    let sides = isQuick ? Array(sides.dropLast()) : sides
    var sizes: [ProductSize] = []
    for m in sides {
      for n in sides {
        // Larger cubes are among the others.
        for k in sides where m == 64 || m != n || n != k { sizes.append(ProductSize(m: m, n: n, k: k, operands: "nn")) }
      }
    }
    return sizes
  }

  /// In the file, but not in the table.
  static func isOfGrid(_ product: MachineRates.Product) -> Bool {
    product.operands == "nn" && [product.m, product.n, product.k].allSatisfy(sides.contains)
      && !(product.m == product.n && product.n == product.k)
  }
}

/// Working sets that lie well within each level of the memory.
enum CacheSizes {
  /// Bytes per thread. The third level is taken to be shared.
  static func workingSets(threads: Int, isQuick: Bool) -> [(level: String, bytes: Int)] {
    let first = Machine.cacheSize(level: 1) ?? 32 << 10
    let second = Machine.cacheSize(level: 2) ?? 512 << 10
    let third = Machine.cacheSize(level: 3) ?? 16 << 20
    let memory = isQuick ? 64 << 20 : min(max(4 * third, 256 << 20), 1 << 30)
    return [
      ("L1", first / 2), ("L2", second / 2), ("L3", max(second, third / 2 / threads)), ("memory", memory / threads),
    ]
  }
}
