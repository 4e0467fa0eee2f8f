import Basics
import Testing

@testable import Stores

/// Pickles written by hand, as Python's pickletools describes them.
@Suite struct PickleTests {
  private func read(_ bytes: [UInt8]) throws -> PickleDocument {
    try PickleReader.read(bytes, place: "test", isAllowed: AnemoiGlobals.contain)
  }

  private func text(_ text: String) -> [UInt8] {
    [UInt8(ascii: "X")] + (0..<4).map { UInt8(truncatingIfNeeded: text.utf8.count >> (8 * $0)) } + Array(text.utf8)
  }

  private func refusal(_ bytes: [UInt8]) -> String {
    do {
      _ = try read(bytes)
      return ""
    } catch {
      return "\(error)"
    }
  }

  @Test func valuesAreRead() throws {
    // {"a": [1, 300, -2, 1.5, None, True], "b": ((), b"xy")}
    var bytes: [UInt8] = [0x80, 2] + Array("}(".utf8) + text("a") + Array("](K".utf8) + [1]
    bytes += Array("M".utf8) + [44, 1] + Array("J".utf8) + [254, 255, 255, 255]
    bytes += Array("G".utf8) + [0x3F, 0xF8, 0, 0, 0, 0, 0, 0] + Array("N".utf8) + [0x88] + Array("e".utf8)
    bytes += text("b") + Array(")C".utf8) + [2] + Array("xy".utf8) + [0x86] + Array("u.".utf8)
    let document = try read(bytes)
    let list = try #require(document.member("a", of: document.root).flatMap { document.elements($0) })
    #expect(list.map { document[$0] } == [.integer(1), .integer(300), .integer(-2), .float(1.5), .none, .bool(true)])
    let pair = try #require(document.member("b", of: document.root).flatMap { document.elements($0) })
    #expect(document[pair[0]] == .tuple([]) && document[pair[1]] == .bytes(Array("xy".utf8)))
  }

  /// One container filled in a million steps, which copies of it would make a million million.
  @Test(.timeLimit(.minutes(1)), arguments: ["}", "]"]) func longContainersAreFilledStepByStep(container: String) throws
  {
    let count = 300_000
    let step = container == "}" ? "NNs" : "Na"
    let bytes =
      [0x80, 2] + Array(container.utf8) + [UInt8](String(repeating: step, count: count).utf8) + Array(".".utf8)
    let document = try read(bytes)
    switch document[document.root] {
    case .dictionary(let pairs): #expect(container == "}" && pairs.count == count)
    case .list(let elements): #expect(container == "]" && elements.count == count)
    default: Issue.record("no container")
    }
  }

  /// Elements that steps have added belong to what a call takes as its argument.
  @Test func argumentsHaveWhatWasAddedToThem() throws {
    // collections.OrderedDict([["a", 7]]), whose lists were filled by steps.
    var bytes: [UInt8] = [0x80, 2] + Array("ccollections\nOrderedDict\n]](".utf8) + text("a") + Array("K".utf8) + [7]
    bytes += Array("ea".utf8) + [0x85] + Array("R.".utf8)
    let document = try read(bytes)
    #expect(document.member("a", of: document.root).map { document[$0] } == .integer(7))
  }

  @Test func longNumbersKeepTheirSign() throws {
    for (bytes, value) in [([0xFF], -1), ([0x00, 0x80, 0x00], 32_768), ([], 0), ([0x80], -128)] as [([UInt8], Int)] {
      let document = try read([0x80, 2, 0x8A, UInt8(bytes.count)] + bytes + Array(".".utf8))
      #expect(document[document.root] == .integer(value))
    }
  }

  /// What a class would do when it is unpickled is not done: it stays a name with arguments and a state.
  @Test func objectsAreOpaque() throws {
    var bytes: [UInt8] = [0x80, 2] + Array("canemoi.models.layers.mlp\nMLP\n".utf8) + Array(")".utf8) + [0x81]
    bytes += Array("}".utf8) + text("width") + Array("K".utf8) + [7] + Array("sb.".utf8)
    let document = try read(bytes)
    #expect(document.className(document.root) == "anemoi.models.layers.mlp MLP")
    #expect(document.attribute("width", of: document.root).map { document[$0] } == .integer(7))
  }

  @Test(arguments: [
    ("os", "system"), ("posix", "system"), ("builtins", "eval"), ("__builtin__", "exec"), ("subprocess", "Popen"),
    ("builtins", "__import__"), ("torch", "load"), ("torch.hub", "load"), ("anemoi.models\u{0}", "x y"),
    ("anemoix", "A"),
    ("functools", "reduce"), ("numpy", "load"), ("torch.nn.modules.linear", "Linear.forward"),
  ])
  func whatIsNotExpectedIsRefusedByName(module: String, name: String) {
    let both = [
      Array("c\(module)\n\(name)\n".utf8),
      text(module) + text(name) + [0x93],
    ]
    for start in both {
      // The classic: the function, its arguments, a call.
      let refusal = refusal([0x80, 4] + start + text("id") + [0x85] + Array("R.".utf8))
      #expect(refusal.contains("'\(terminalText("\(module).\(name)"))'"))
      #expect(refusal.contains("nothing of it was executed"))
    }
  }

  @Test(arguments: [
    "(lp0\n.", "I1\n.", "S'a'\n.", "Vx\n.", "i__main__\nA\n.", "(c__main__\nA\no.", "P1\n.",
  ])
  func instructionsOfOtherProtocolsAreRefused(pickle: String) {
    #expect(refusal(Array(pickle.utf8)).contains("instruction") || refusal(Array(pickle.utf8)).contains("names"))
  }

  @Test func whatIsDamagedIsRefused() {
    let cases: [[UInt8]] = [
      [], [0x80], [0x80, 9], Array(".".utf8), Array("e.".utf8), Array("(e.".utf8), Array("Ne.".utf8),
      Array("h\u{7}.".utf8),
      Array("R.".utf8), Array("NNu.".utf8), Array("}(Nu.".utf8), Array("X".utf8) + [255, 255, 255, 127, 65],
      [0x8D] + [UInt8](repeating: 255, count: 8), Array("cabc".utf8), Array("Nb.".utf8), [0x85] + Array(".".utf8),
    ]
    for bytes in cases { #expect(refusal(bytes).contains("pickle"), "\(bytes)") }
  }

  /// Small files that stand for endless values.
  @Test func valuesAreBounded() {
    // A list that is copied again and again: l = list(l); l.append(None), with 2 ^ 20 elements.
    var bytes: [UInt8] = [0x80, 2] + Array("c__builtin__\nlist\n".utf8) + Array("q\u{1}0](".utf8)
    bytes += [UInt8](repeating: UInt8(ascii: "N"), count: 1 << 20) + Array("eq\u{2}0".utf8)
    let copy = Array("h\u{1}h\u{2}".utf8) + [0x85] + Array("RNa0".utf8)
    for _ in 0..<10_000 { bytes += copy }
    #expect(refusal(bytes + Array("N.".utf8)).contains("more values"))
    // Nesting costs neither time nor stack, when it is read and when it is let go.
    var deep: [UInt8] = [0x80, 2] + Array(")".utf8)
    deep += [UInt8](repeating: 0x85, count: 200_000)
    #expect(throws: Never.self) { try read(deep + Array(".".utf8)) }
  }

  /// What checkpoints of the three families name beside modules: signatures of torch_geometric, kinds of attention. Other names are refused.
  @Test func namesOfGenuineCheckpointsAreKnown() {
    for (module, name) in [
      ("types", "GenericAlias"), ("torch_geometric.typing", "SparseTensor"), ("__builtin__", "tuple"),
      ("torch._C._nn", "scaled_dot_product_attention"), ("torch.nn.attention.flex_attention", "create_mask"),
      ("torch", "BoolStorage"), ("flash_attn.flash_attn_interface", "flash_attn_func"),
    ] { #expect(AnemoiGlobals.contain(module, name), "\(module) \(name)") }
    for (module, name) in [
      ("os", "system"), ("builtins", "eval"), ("types", "CodeType"), ("torch._C._nn", "linear"), ("torch", "load"),
      ("subprocess", "Popen"), ("torch.nn.functionals", "gelu"),
    ] { #expect(!AnemoiGlobals.contain(module, name), "\(module) \(name)") }
  }
}
