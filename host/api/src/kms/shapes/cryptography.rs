//! What keys encrypt, open and sign.
//!
//! Members that hold bytes are optional here even where AWS's model requires them, for no request without them comes through its
//! check; an operation asks for them all the same.

use super::{Context, RecipientInfo};
use crate::sensitive::SecretBlob;
use crate::shape::shapes;

shapes! {
    /// `Encrypt` takes this.
    EncryptRequest {
        required { key_id: String, }
        optional {
            plaintext: SecretBlob,
            encryption_context: Context,
            grant_tokens: Vec<String>,
            encryption_algorithm: String,
            dry_run: bool,
        }
    }

    /// `Encrypt` answers this.
    EncryptResponse {
        required { key_id: String, encryption_algorithm: String, }
        optional { ciphertext_blob: SecretBlob, }
    }

    /// `Decrypt` takes this.
    DecryptRequest {
        optional {
            ciphertext_blob: SecretBlob,
            encryption_context: Context,
            grant_tokens: Vec<String>,
            key_id: String,
            encryption_algorithm: String,
            recipient: RecipientInfo,
            dry_run: bool,
            dry_run_modifiers: Vec<String>,
        }
    }

    /// `Decrypt` answers this.
    DecryptResponse {
        required { key_id: String, encryption_algorithm: String, }
        optional { plaintext: SecretBlob, key_material_id: String, }
    }

    /// `ReEncrypt` takes this.
    ReEncryptRequest {
        required { destination_key_id: String, }
        optional {
            ciphertext_blob: SecretBlob,
            source_encryption_context: Context,
            source_key_id: String,
            destination_encryption_context: Context,
            source_encryption_algorithm: String,
            destination_encryption_algorithm: String,
            grant_tokens: Vec<String>,
            dry_run: bool,
            dry_run_modifiers: Vec<String>,
        }
    }

    /// `ReEncrypt` answers this.
    ReEncryptResponse {
        required {
            source_key_id: String,
            key_id: String,
            source_encryption_algorithm: String,
            destination_encryption_algorithm: String,
        }
        optional {
            ciphertext_blob: SecretBlob,
            source_key_material_id: String,
            destination_key_material_id: String,
        }
    }

    /// `GenerateDataKey` takes this.
    GenerateDataKeyRequest {
        required { key_id: String, }
        optional {
            encryption_context: Context,
            number_of_bytes: i64,
            key_spec: String,
            grant_tokens: Vec<String>,
            recipient: RecipientInfo,
            dry_run: bool,
        }
    }

    /// `GenerateDataKeyWithoutPlaintext` takes this.
    GenerateDataKeyWithoutPlaintextRequest {
        required { key_id: String, }
        optional {
            encryption_context: Context,
            key_spec: String,
            number_of_bytes: i64,
            grant_tokens: Vec<String>,
            dry_run: bool,
        }
    }

    /// `GenerateDataKey` answers this; `GenerateDataKeyWithoutPlaintext` as well, without the data key in clear.
    GenerateDataKeyResponse {
        required { key_id: String, }
        optional { ciphertext_blob: SecretBlob, plaintext: SecretBlob, key_material_id: String, }
    }

    /// `GenerateRandom` takes this.
    GenerateRandomRequest {
        optional { number_of_bytes: i64, custom_key_store_id: String, recipient: RecipientInfo, }
    }

    /// `GenerateRandom` answers this.
    GenerateRandomResponse {
        optional { plaintext: SecretBlob, }
    }

    /// `GenerateMac` takes this.
    GenerateMacRequest {
        required { key_id: String, mac_algorithm: String, }
        optional { message: SecretBlob, grant_tokens: Vec<String>, dry_run: bool, }
    }

    /// `GenerateMac` answers this.
    GenerateMacResponse {
        required { mac_algorithm: String, key_id: String, }
        optional { mac: SecretBlob, }
    }

    /// `VerifyMac` takes this.
    VerifyMacRequest {
        required { key_id: String, mac_algorithm: String, }
        optional { message: SecretBlob, mac: SecretBlob, grant_tokens: Vec<String>, dry_run: bool, }
    }

    /// `VerifyMac` answers this.
    VerifyMacResponse {
        required { key_id: String, mac_valid: bool, mac_algorithm: String, }
    }
}
