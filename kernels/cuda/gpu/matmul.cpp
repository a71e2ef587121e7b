#include <cublasLt.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <tuple>

#include "../../device.h"
#include "check.h"

// cuBLASLt, whose matrices are column major: c = op(a) op(b) is computed as the transpose, cᵀ = op(b)ᵀ op(a)ᵀ, on the same memory.
namespace grpo::device {
namespace {

constexpr int64_t kWorkspaceBytes = int64_t{32} << 20;

void check_blas(cublasStatus_t status) {
  GRPO_CHECK(status == CUBLAS_STATUS_SUCCESS, "matmul",
             std::string("expected success of cuBLASLt; got ") + cublasLtGetStatusString(status));
}

/// Bytes that an address is a multiple of, up to the 256 that cuBLASLt takes for granted.
uint32_t alignment_of(const void* address) {
  const auto bits = reinterpret_cast<uintptr_t>(address) | 256;
  return static_cast<uint32_t>(bits & (~bits + 1));
}

cudaDataType_t type_of(Element element) { return element == Element::kF32 ? CUDA_R_32F : CUDA_R_16BF; }

class Layout {
 public:
  Layout(Element element, int64_t rows, int64_t columns, int64_t stride) {
    check_blas(cublasLtMatrixLayoutCreate(&layout_, type_of(element), static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), stride));
  }
  ~Layout() { cublasLtMatrixLayoutDestroy(layout_); }
  Layout(const Layout&) = delete;
  cublasLtMatrixLayout_t get() const { return layout_; }

 private:
  cublasLtMatrixLayout_t layout_ = nullptr;
};

class Description {
 public:
  Description(bool transpose_first, bool transpose_second) {
    check_blas(cublasLtMatmulDescCreate(&description_, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    set(CUBLASLT_MATMUL_DESC_TRANSA, transpose_first ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, transpose_second ? CUBLAS_OP_T : CUBLAS_OP_N);
  }
  ~Description() { cublasLtMatmulDescDestroy(description_); }
  Description(const Description&) = delete;
  cublasLtMatmulDesc_t get() const { return description_; }

 private:
  void set(cublasLtMatmulDescAttributes_t name, cublasOperation_t value) {
    check_blas(cublasLtMatmulDescSetAttribute(description_, name, &value, sizeof value));
  }
  cublasLtMatmulDesc_t description_ = nullptr;
};

// Handle, workspace and the algorithm of every shape that has occurred. One stream at a time works in the workspace: what runs on
// several streams at once has one each.
class Library {
 public:
  static Library& instance() {
    static Library& library = *new Library;  // for good: when statics are destroyed, CUDA may be gone already
    return library;
  }
  cublasLtHandle_t handle() const { return handle_; }

  void* workspace(CUstream_st* stream) {
    const std::lock_guard lock(mutex_);
    Buffer& buffer = workspaces_[stream];
    buffer.resize(kWorkspaceBytes, "cuBLASLt's workspace");
    return buffer.data();
  }

  using Shape = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool, bool, Element, Element, bool, uint32_t>;
  cublasLtMatmulAlgo_t algorithm(const Shape& shape, const Description& description, const Layout& first, const Layout& second,
                                 const Layout& result, uint32_t alignment) {
    const std::lock_guard lock(mutex_);
    if (const auto known = algorithms_.find(shape); known != algorithms_.end()) return known->second;
    cublasLtMatmulPreference_t preference = nullptr;
    check_blas(cublasLtMatmulPreferenceCreate(&preference));
    const auto bytes = static_cast<size_t>(kWorkspaceBytes);
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    cublasStatus_t status =
        cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes);
    for (const auto name : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                            CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      if (status != CUBLAS_STATUS_SUCCESS) break;
      status = cublasLtMatmulPreferenceSetAttribute(preference, name, &alignment, sizeof alignment);
    }
    if (status == CUBLAS_STATUS_SUCCESS) {
      status = cublasLtMatmulAlgoGetHeuristic(handle_, description.get(), first.get(), second.get(), result.get(), result.get(), preference,
                                              1, &found, &count);
    }
    cublasLtMatmulPreferenceDestroy(preference);
    check_blas(status);
    GRPO_CHECK(count > 0, "matmul", "expected an algorithm of cuBLASLt; got none");
    return algorithms_.emplace(shape, found.algo).first->second;
  }

 private:
  Library() { check_blas(cublasLtCreate(&handle_)); }

  cublasLtHandle_t handle_ = nullptr;
  std::mutex mutex_;
  std::map<CUstream_st*, Buffer> workspaces_;
  std::map<Shape, cublasLtMatmulAlgo_t> algorithms_;
};

}  // namespace

void matmul(const Matrix& a, const Matrix& b, const Product& product, int64_t m, int64_t n, int64_t k, CUstream_st* stream) {
  GRPO_CHECK(a.element == b.element && (product.element == a.element || product.element == Element::kF32), "matmul",
             "expected operands of one type and a result of theirs or fp32; got others");
  if (m == 0 || n == 0) return;
  const Layout first(b.element, b.transposed ? k : n, b.transposed ? n : k, b.stride);
  const Layout second(a.element, a.transposed ? m : k, a.transposed ? k : m, a.stride);
  const Layout result(product.element, n, m, product.stride);
  const Description description(b.transposed, a.transposed);
  Library& library = Library::instance();
  const uint32_t alignment = std::min({alignment_of(a.data), alignment_of(b.data), alignment_of(product.c)});
  const cublasLtMatmulAlgo_t algorithm = library.algorithm({m, n, k, a.stride, b.stride, product.stride, a.transposed, b.transposed,
                                                            a.element, product.element, product.beta == 0.0F, alignment},
                                                           description, first, second, result, alignment);
  check_blas(cublasLtMatmul(library.handle(), description.get(), &product.alpha, b.data, first.get(), a.data, second.get(), &product.beta,
                            product.c, result.get(), product.c, result.get(), &algorithm, library.workspace(stream),
                            static_cast<size_t>(kWorkspaceBytes), stream));
}

}  // namespace grpo::device
