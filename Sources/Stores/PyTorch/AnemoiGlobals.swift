/// Classes and functions that checkpoints of Anemoi's models name. Objects of them are opaque: being on the list means
/// that a name is expected, not that anything would be called.
public enum AnemoiGlobals {
  /// Packages whose classes models are made of.
  private static let packages: Set = ["anemoi", "einops", "flash_attn", "omegaconf", "torch_geometric"]

  /// Modules of other packages, with names of theirs; no names: all.
  private static let names: [String: Set<String>] = [
    "__builtin__": [
      "dict", "getattr", "list", "long", "set", "type", "frozenset", "tuple", "int", "float", "bool", "str", "object",
      "complex", "bytearray", "unicode", "slice", "NoneType",
    ],
    "builtins": [
      "dict", "getattr", "list", "set", "type", "frozenset", "tuple", "int", "float", "bool", "str", "object",
      "complex",
      "bytearray", "slice", "NoneType",
    ],
    "_codecs": ["encode"],
    "_operator": ["getitem"],
    "collections": ["OrderedDict", "defaultdict", "deque", "Counter"],
    "copy_reg": ["_reconstructor", "__newobj__", "__newobj_ex__"],
    "copyreg": ["_reconstructor", "__newobj__", "__newobj_ex__"],
    "datetime": ["datetime", "timedelta", "date", "timezone"],
    "enum": ["Enum"],
    "functools": ["partial"],
    "hydra._internal.target_policy": ["_DeferredTarget"],
    "inspect": ["_empty", "Parameter", "Signature", "_ParameterKind"],
    "numpy": ["dtype", "ndarray", "float32", "float64", "int32", "int64", "bool_"],
    "numpy._core.multiarray": ["_reconstruct", "scalar"],
    "numpy.core.multiarray": ["_reconstruct", "scalar"],
    "numpy.dtypes": [],
    "pathlib": ["Path", "PosixPath", "PurePosixPath"],
    "torch": [
      "Tensor", "Size", "device", "dtype", "FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage",
      "LongStorage", "IntStorage", "ShortStorage", "CharStorage", "ByteStorage", "BoolStorage", "float32", "float64",
      "float16", "bfloat16", "int32", "int64", "bool",
    ],
    // Kinds of attention and activations, which layers refer to.
    "torch._C._nn": ["scaled_dot_product_attention", "gelu", "silu", "leaky_relu", "softplus"],
    "torch.nn.attention": ["SDPBackend"],
    "torch.nn.attention.flex_attention": [],
    "torch.nn.functional": [],
    "torch._utils": [
      "_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_parameter_with_state", "_rebuild_sparse_tensor",
    ],
    "torch.serialization": ["_get_layout"],
    "torch.storage": ["UntypedStorage"],
    // Signatures of functions that torch_geometric keeps with its layers.
    "types": ["GenericAlias", "NoneType", "UnionType", "FunctionType", "SimpleNamespace"],
    "typing": [
      "Any", "OrderedDict", "Union", "Optional", "List", "Dict", "Tuple", "Callable", "Set", "Type", "Literal",
      "Sequence",
      "Mapping", "Iterable",
    ],
    "uuid": ["UUID", "SafeUUID"],
  ]

  public static func contain(_ module: String, _ name: String) -> Bool {
    let isWord =
      !name.isEmpty
      && name.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_")
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      }
    guard isWord else { return false }
    if let known = names[module] { return known.isEmpty || known.contains(name) }
    let parts = module.split(separator: ".", omittingEmptySubsequences: false)
    return parts.first.map { packages.contains(String($0)) } == true || module.hasPrefix("torch.nn.modules.")
      || module == "torch.nn.parameter" || module.hasPrefix("torch.nn.utils.param")
  }
}
