/* SPDX-License-Identifier: Apache-2.0

   Is the arithmetic of an emulated CPU that of this one? One line for each instruction: the hash of
   its results on pseudo-random bit patterns. Two CPUs that keep IEEE 754 print the same lines.

   cc -O1 -mavx2 -mfma -mf16c -ffp-contract=off arithmetic.c -o arithmetic

   NaNs are taken as zero: which NaN an instruction hands on may differ. rcpps, rsqrtps and x87's
   transcendental functions are left out: real CPUs differ in them as well. */

#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 200000 };

static uint64_t state, hash;
static int ordinary; /* exponents near 0, in place of all bit patterns */

static uint64_t random_bits(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void restart(void) {
    state = 88172645463325252u;
    hash = 14695981039346656037u;
}

static void mix(const void *bytes, size_t count) { /* FNV-1a */
    const unsigned char *each = bytes;
    while (count--) {
        hash = (hash ^ *each++) * 1099511628211u;
    }
}

static __m256 floats(void) {
    uint32_t values[8];
    for (int i = 0; i < 8; i++) {
        values[i] = (uint32_t)(random_bits() >> 16);
        if (ordinary) {
            uint32_t exponent = 100 + (values[i] >> 23 & 0xff) % 54;
            values[i] = (values[i] & 0x807fffffu) | exponent << 23;
        }
    }
    __m256 vector;
    memcpy(&vector, values, sizeof vector);
    return vector;
}

static __m256d doubles(void) {
    uint64_t values[4];
    for (int i = 0; i < 4; i++) {
        values[i] = random_bits();
        if (ordinary) {
            uint64_t exponent = 1000 + (values[i] >> 52 & 0x7ff) % 46;
            values[i] = (values[i] & 0x800fffffffffffffu) | exponent << 52;
        }
    }
    __m256d vector;
    memcpy(&vector, values, sizeof vector);
    return vector;
}

static void keep_floats(__m256 vector) {
    vector = _mm256_and_ps(vector, _mm256_cmp_ps(vector, vector, _CMP_ORD_Q));
    mix(&vector, sizeof vector);
}

static void keep_doubles(__m256d vector) {
    vector = _mm256_and_pd(vector, _mm256_cmp_pd(vector, vector, _CMP_ORD_Q));
    mix(&vector, sizeof vector);
}

#define EACH(name, ...)                                                    \
    do {                                                                   \
        restart();                                                         \
        for (int i = 0; i < ROUNDS; i++) {                                 \
            __VA_ARGS__;                                                   \
        }                                                                  \
        printf("%s%s %016llx\n", prefix, name, (unsigned long long)hash);  \
    } while (0)

static void single(const char *prefix) {
    EACH("addps", keep_floats(_mm256_add_ps(floats(), floats())));
    EACH("subps", keep_floats(_mm256_sub_ps(floats(), floats())));
    EACH("mulps", keep_floats(_mm256_mul_ps(floats(), floats())));
    EACH("divps", keep_floats(_mm256_div_ps(floats(), floats())));
    EACH("sqrtps", keep_floats(_mm256_sqrt_ps(floats())));
    EACH("fmaddps", keep_floats(_mm256_fmadd_ps(floats(), floats(), floats())));
    EACH("fnmaddps", keep_floats(_mm256_fnmadd_ps(floats(), floats(), floats())));
    EACH("fmsubps", keep_floats(_mm256_fmsub_ps(floats(), floats(), floats())));
    EACH("haddps", keep_floats(_mm256_hadd_ps(floats(), floats())));
    EACH("dpps", keep_floats(_mm256_dp_ps(floats(), floats(), 0xff)));
    EACH("roundps", keep_floats(_mm256_round_ps(floats(), _MM_FROUND_TO_NEAREST_INT)));
}

static void choices(const char *prefix) { /* not when flushing: qemu 7.2 compares denormals there */
    EACH("maxps", keep_floats(_mm256_max_ps(floats(), floats())));
    EACH("minps", keep_floats(_mm256_min_ps(floats(), floats())));
    EACH("maxpd", keep_doubles(_mm256_max_pd(doubles(), doubles())));
}

static void twice(const char *prefix) {
    EACH("addpd", keep_doubles(_mm256_add_pd(doubles(), doubles())));
    EACH("subpd", keep_doubles(_mm256_sub_pd(doubles(), doubles())));
    EACH("mulpd", keep_doubles(_mm256_mul_pd(doubles(), doubles())));
    EACH("divpd", keep_doubles(_mm256_div_pd(doubles(), doubles())));
    EACH("sqrtpd", keep_doubles(_mm256_sqrt_pd(doubles())));
    EACH("fmaddpd", keep_doubles(_mm256_fmadd_pd(doubles(), doubles(), doubles())));
    EACH("fnmaddpd", keep_doubles(_mm256_fnmadd_pd(doubles(), doubles(), doubles())));
    EACH("roundpd", keep_doubles(_mm256_round_pd(doubles(), _MM_FROUND_TO_NEAREST_INT)));
}

static void conversions(const char *prefix) {
    EACH("cvtps2dq", {
        __m256i whole = _mm256_cvtps_epi32(floats());
        mix(&whole, sizeof whole);
    });
    EACH("cvtdq2ps", keep_floats(_mm256_cvtepi32_ps(_mm256_castps_si256(floats()))));
    EACH("cvtps2pd", keep_doubles(_mm256_cvtps_pd(_mm256_castps256_ps128(floats()))));
    EACH("cvtpd2ps", keep_floats(_mm256_zextps128_ps256(_mm256_cvtpd_ps(doubles()))));
    EACH("cvtsi2sd", {
        double value = (double)(int64_t)random_bits();
        mix(&value, sizeof value);
    });
    EACH("cvtps2ph", {
        __m256 vector = floats();
        vector = _mm256_and_ps(vector, _mm256_cmp_ps(vector, vector, _CMP_ORD_Q));
        __m128i half = _mm256_cvtps_ph(vector, _MM_FROUND_TO_NEAREST_INT);
        mix(&half, sizeof half);
    });
    EACH("cvtph2ps", {
        __m256i bits = _mm256_castps_si256(floats());
        keep_floats(_mm256_cvtph_ps(_mm256_castsi256_si128(bits)));
    });
}

static __m256i integers(void) {
    return _mm256_castps_si256(floats());
}

static void keep_integers(__m256i vector) {
    mix(&vector, sizeof vector);
}

static void moves(const char *prefix) { /* tables and exponents of mathematical functions */
    float table[64];
    double wide[64];
    restart();
    for (int i = 0; i < 64; i += 8) {
        _mm256_storeu_ps(table + i, floats());
        _mm256_storeu_pd(wide + i, doubles());
        _mm256_storeu_pd(wide + i + 4, doubles());
    }
    __m256i low = _mm256_set1_epi32(63);
    __m256i low_wide = _mm256_set1_epi64x(63);
    EACH("vgatherdps", {
        keep_floats(_mm256_i32gather_ps(table, _mm256_and_si256(integers(), low), 4));
    });
    EACH("vgatherdpd", {
        __m128i places = _mm256_castsi256_si128(_mm256_and_si256(integers(), low));
        keep_doubles(_mm256_i32gather_pd(wide, places, 8));
    });
    EACH("vgatherqpd", {
        keep_doubles(_mm256_i64gather_pd(wide, _mm256_and_si256(integers(), low_wide), 8));
    });
    EACH("masked vgatherdps", {
        __m256i places = _mm256_and_si256(integers(), low);
        keep_floats(_mm256_mask_i32gather_ps(floats(), table, places, floats(), 4));
    });
    EACH("masked vgatherqpd", {
        __m256i places = _mm256_and_si256(integers(), low_wide);
        keep_doubles(_mm256_mask_i64gather_pd(doubles(), wide, places, doubles(), 8));
    });
    EACH("vpermps", keep_floats(_mm256_permutevar8x32_ps(floats(), integers())));
    EACH("vpermilps", keep_floats(_mm256_permutevar_ps(floats(), integers())));
    EACH("vpermilpd", keep_doubles(_mm256_permutevar_pd(doubles(), integers())));
    EACH("vpermpd", keep_doubles(_mm256_permute4x64_pd(doubles(), 0x39)));
    EACH("vperm2f128", keep_doubles(_mm256_permute2f128_pd(doubles(), doubles(), 0x21)));
    EACH("vpshufb", keep_integers(_mm256_shuffle_epi8(integers(), integers())));
    EACH("vblendvps", keep_floats(_mm256_blendv_ps(floats(), floats(), floats())));
    EACH("vblendvpd", keep_doubles(_mm256_blendv_pd(doubles(), doubles(), doubles())));
    EACH("vpsllvd", keep_integers(_mm256_sllv_epi32(integers(), integers())));
    EACH("vpsrlvq", keep_integers(_mm256_srlv_epi64(integers(), integers())));
    EACH("vpsravd", keep_integers(_mm256_srav_epi32(integers(), integers())));
    EACH("vpmulld", keep_integers(_mm256_mullo_epi32(integers(), integers())));
    EACH("vpmuludq", keep_integers(_mm256_mul_epu32(integers(), integers())));
    EACH("vpaddq", keep_integers(_mm256_add_epi64(integers(), integers())));
    EACH("vpcmpgtd", keep_integers(_mm256_cmpgt_epi32(integers(), integers())));
    EACH("vpcmpgtq", keep_integers(_mm256_cmpgt_epi64(integers(), integers())));
    EACH("vpackssdw", keep_integers(_mm256_packs_epi32(integers(), integers())));
    EACH("vpmaxsd", keep_integers(_mm256_max_epi32(integers(), integers())));
    EACH("vpabsd", keep_integers(_mm256_abs_epi32(integers())));
    EACH("vcmpltps", {
        __m256 mask = _mm256_cmp_ps(floats(), floats(), _CMP_LT_OQ);
        mix(&mask, sizeof mask);
    });
    EACH("vmaskmovps", keep_floats(_mm256_maskload_ps(table, integers())));
    EACH("vunpcklpd", keep_doubles(_mm256_unpacklo_pd(doubles(), doubles())));
    EACH("vunpckhpd", keep_doubles(_mm256_unpackhi_pd(doubles(), doubles())));
    EACH("vshufpd", keep_doubles(_mm256_shuffle_pd(doubles(), doubles(), 0x6)));
    EACH("vmovddup", keep_doubles(_mm256_movedup_pd(doubles())));
    EACH("vinsertf128", {
        __m128d half = _mm256_castpd256_pd128(doubles());
        keep_doubles(_mm256_insertf128_pd(doubles(), half, 1));
    });
    EACH("vextractf128", {
        __m128d half = _mm256_extractf128_pd(doubles(), 1);
        keep_doubles(_mm256_set_m128d(half, half));
    });
    EACH("vpsrlq", keep_integers(_mm256_srli_epi64(integers(), 13)));
    EACH("vpsllq", keep_integers(_mm256_slli_epi64(integers(), 13)));
    EACH("vpsrad", keep_integers(_mm256_srai_epi32(integers(), 13)));
    EACH("vpsubq", keep_integers(_mm256_sub_epi64(integers(), integers())));
    EACH("vpminsd", keep_integers(_mm256_min_epi32(integers(), integers())));
    EACH("vpcmpeqq", keep_integers(_mm256_cmpeq_epi64(integers(), integers())));
    EACH("vpunpckldq", keep_integers(_mm256_unpacklo_epi32(integers(), integers())));
    EACH("vpunpckhqdq", keep_integers(_mm256_unpackhi_epi64(integers(), integers())));
    EACH("vpblendd", keep_integers(_mm256_blend_epi32(integers(), integers(), 0x5a)));
    EACH("vpshufd", keep_integers(_mm256_shuffle_epi32(integers(), 0x8d)));
    EACH("vpermd", keep_integers(_mm256_permutevar8x32_epi32(integers(), integers())));
    EACH("vpgatherdd", {
        __m256i places = _mm256_and_si256(integers(), low);
        keep_integers(_mm256_i32gather_epi32((const int *)table, places, 4));
    });
    EACH("vpgatherqq", {
        __m256i places = _mm256_and_si256(integers(), low_wide);
        keep_integers(_mm256_i64gather_epi64((const long long *)wide, places, 8));
    });
    EACH("vunpcklps", keep_floats(_mm256_unpacklo_ps(floats(), floats())));
    EACH("vshufps", keep_floats(_mm256_shuffle_ps(floats(), floats(), 0x9c)));
    EACH("vmovmskps", {
        int mask = _mm256_movemask_ps(floats());
        mix(&mask, sizeof mask);
    });
    EACH("vcvtdq2pd", {
        keep_doubles(_mm256_cvtepi32_pd(_mm256_castsi256_si128(integers())));
    });
    EACH("vcvttpd2dq", {
        __m128i whole = _mm256_cvttpd_epi32(doubles());
        mix(&whole, sizeof whole);
    });
    EACH("vcvttps2dq", keep_integers(_mm256_cvttps_epi32(floats())));
    EACH("vpmovsxwd", {
        keep_integers(_mm256_cvtepi16_epi32(_mm256_castsi256_si128(integers())));
    });
}

static void x87(const char *prefix) { /* long double: C libraries compute some functions with it */
    EACH("x87", {
        long double one = _mm256_cvtsd_f64(doubles());
        long double other = _mm256_cvtsd_f64(doubles());
        double result = (double)(one * other + one / other);
        if (result == result) {
            mix(&result, sizeof result);
        }
    });
}

int main(void) {
    for (ordinary = 0; ordinary < 2; ordinary++) {
        const char *prefix = ordinary ? "" : "any ";
        single(prefix);
        choices(prefix);
        twice(prefix);
        conversions(prefix);
        moves(prefix);
        x87(prefix);
    }
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* denormals are zero, in and out, as some libraries set it */
    ordinary = 0;
    single("flushing ");
    _mm_setcsr(before);
    return 0;
}
